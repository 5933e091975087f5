import datetime

from libs.contracts.antiphon.options.v1 import options_pb2 as _options_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DocumentIndexed(_message.Message):
    __slots__ = ("document_id", "org_id", "source_type", "source_id", "chunks", "indexed_at")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    INDEXED_AT_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    org_id: str
    source_type: str
    source_id: str
    chunks: int
    indexed_at: _timestamp_pb2.Timestamp
    def __init__(self, document_id: _Optional[str] = ..., org_id: _Optional[str] = ..., source_type: _Optional[str] = ..., source_id: _Optional[str] = ..., chunks: _Optional[int] = ..., indexed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DocumentRemoved(_message.Message):
    __slots__ = ("document_id", "org_id", "source_type", "source_id", "removed_at")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    REMOVED_AT_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    org_id: str
    source_type: str
    source_id: str
    removed_at: _timestamp_pb2.Timestamp
    def __init__(self, document_id: _Optional[str] = ..., org_id: _Optional[str] = ..., source_type: _Optional[str] = ..., source_id: _Optional[str] = ..., removed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DocumentSubmitted(_message.Message):
    __slots__ = ("document_id", "org_id", "source_type", "source_id", "revision", "submitted_at")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    org_id: str
    source_type: str
    source_id: str
    revision: int
    submitted_at: _timestamp_pb2.Timestamp
    def __init__(self, document_id: _Optional[str] = ..., org_id: _Optional[str] = ..., source_type: _Optional[str] = ..., source_id: _Optional[str] = ..., revision: _Optional[int] = ..., submitted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DocumentFailed(_message.Message):
    __slots__ = ("document_id", "org_id", "source_type", "source_id", "reason", "failed_at")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FAILED_AT_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    org_id: str
    source_type: str
    source_id: str
    reason: str
    failed_at: _timestamp_pb2.Timestamp
    def __init__(self, document_id: _Optional[str] = ..., org_id: _Optional[str] = ..., source_type: _Optional[str] = ..., source_id: _Optional[str] = ..., reason: _Optional[str] = ..., failed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class OrganizationErased(_message.Message):
    __slots__ = ("org_id", "erasure_id", "round", "counts", "erased_at")
    class CountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    ERASURE_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    ERASED_AT_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    erasure_id: str
    round: int
    counts: _containers.ScalarMap[str, int]
    erased_at: _timestamp_pb2.Timestamp
    def __init__(self, org_id: _Optional[str] = ..., erasure_id: _Optional[str] = ..., round: _Optional[int] = ..., counts: _Optional[_Mapping[str, int]] = ..., erased_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DataExported(_message.Message):
    __slots__ = ("org_id", "export_id", "counts", "object_key", "sha256", "size_bytes", "error", "tries", "exported_at", "files_key", "files", "files_bytes", "files_left_out", "files_left_out_bytes")
    class CountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    EXPORT_ID_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    OBJECT_KEY_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    TRIES_FIELD_NUMBER: _ClassVar[int]
    EXPORTED_AT_FIELD_NUMBER: _ClassVar[int]
    FILES_KEY_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    FILES_BYTES_FIELD_NUMBER: _ClassVar[int]
    FILES_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    FILES_LEFT_OUT_BYTES_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    export_id: str
    counts: _containers.ScalarMap[str, int]
    object_key: str
    sha256: str
    size_bytes: int
    error: str
    tries: int
    exported_at: _timestamp_pb2.Timestamp
    files_key: str
    files: int
    files_bytes: int
    files_left_out: int
    files_left_out_bytes: int
    def __init__(self, org_id: _Optional[str] = ..., export_id: _Optional[str] = ..., counts: _Optional[_Mapping[str, int]] = ..., object_key: _Optional[str] = ..., sha256: _Optional[str] = ..., size_bytes: _Optional[int] = ..., error: _Optional[str] = ..., tries: _Optional[int] = ..., exported_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., files_key: _Optional[str] = ..., files: _Optional[int] = ..., files_bytes: _Optional[int] = ..., files_left_out: _Optional[int] = ..., files_left_out_bytes: _Optional[int] = ...) -> None: ...
