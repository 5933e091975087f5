import datetime

from libs.contracts.antiphon.options.v1 import options_pb2 as _options_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VoiceSnapshot(_message.Message):
    __slots__ = ("voice_id", "org_id", "name", "description", "category", "language", "variant", "engine", "engine_settings", "revision", "settings")
    VOICE_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    ENGINE_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    voice_id: str
    org_id: str
    name: str
    description: str
    category: str
    language: str
    variant: str
    engine: str
    engine_settings: str
    revision: int
    settings: str
    def __init__(self, voice_id: _Optional[str] = ..., org_id: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., category: _Optional[str] = ..., language: _Optional[str] = ..., variant: _Optional[str] = ..., engine: _Optional[str] = ..., engine_settings: _Optional[str] = ..., revision: _Optional[int] = ..., settings: _Optional[str] = ...) -> None: ...

class VoiceCreated(_message.Message):
    __slots__ = ("voice_id", "org_id", "variant", "created_at")
    VOICE_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    voice_id: str
    org_id: str
    variant: str
    created_at: _timestamp_pb2.Timestamp
    def __init__(self, voice_id: _Optional[str] = ..., org_id: _Optional[str] = ..., variant: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class VoiceReady(_message.Message):
    __slots__ = ("voice_id", "org_id", "voice", "ready_at")
    VOICE_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    READY_AT_FIELD_NUMBER: _ClassVar[int]
    voice_id: str
    org_id: str
    voice: VoiceSnapshot
    ready_at: _timestamp_pb2.Timestamp
    def __init__(self, voice_id: _Optional[str] = ..., org_id: _Optional[str] = ..., voice: _Optional[_Union[VoiceSnapshot, _Mapping]] = ..., ready_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class VoiceUpdated(_message.Message):
    __slots__ = ("voice_id", "org_id", "voice", "updated_at")
    VOICE_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    voice_id: str
    org_id: str
    voice: VoiceSnapshot
    updated_at: _timestamp_pb2.Timestamp
    def __init__(self, voice_id: _Optional[str] = ..., org_id: _Optional[str] = ..., voice: _Optional[_Union[VoiceSnapshot, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class VoiceRejected(_message.Message):
    __slots__ = ("voice_id", "org_id", "reasons", "rejected_at")
    VOICE_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    REJECTED_AT_FIELD_NUMBER: _ClassVar[int]
    voice_id: str
    org_id: str
    reasons: _containers.RepeatedScalarFieldContainer[str]
    rejected_at: _timestamp_pb2.Timestamp
    def __init__(self, voice_id: _Optional[str] = ..., org_id: _Optional[str] = ..., reasons: _Optional[_Iterable[str]] = ..., rejected_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class VoiceSubmitted(_message.Message):
    __slots__ = ("voice_id", "org_id", "submitted_at", "size_bytes", "revision")
    VOICE_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    voice_id: str
    org_id: str
    submitted_at: _timestamp_pb2.Timestamp
    size_bytes: int
    revision: int
    def __init__(self, voice_id: _Optional[str] = ..., org_id: _Optional[str] = ..., submitted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., size_bytes: _Optional[int] = ..., revision: _Optional[int] = ...) -> None: ...

class VoiceDeleted(_message.Message):
    __slots__ = ("voice_id", "org_id", "object_keys", "deleted_at")
    VOICE_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    OBJECT_KEYS_FIELD_NUMBER: _ClassVar[int]
    DELETED_AT_FIELD_NUMBER: _ClassVar[int]
    voice_id: str
    org_id: str
    object_keys: _containers.RepeatedScalarFieldContainer[str]
    deleted_at: _timestamp_pb2.Timestamp
    def __init__(self, voice_id: _Optional[str] = ..., org_id: _Optional[str] = ..., object_keys: _Optional[_Iterable[str]] = ..., deleted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

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
