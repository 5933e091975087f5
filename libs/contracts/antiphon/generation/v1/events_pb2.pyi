import datetime

from libs.contracts.antiphon.options.v1 import options_pb2 as _options_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GenerationRequested(_message.Message):
    __slots__ = ("generation_id", "org_id", "voice_id", "text", "characters", "format", "engine", "engine_settings", "speed", "requested_at", "mode", "key_id", "user_id")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    VOICE_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    ENGINE_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    org_id: str
    voice_id: str
    text: str
    characters: int
    format: str
    engine: str
    engine_settings: str
    speed: float
    requested_at: _timestamp_pb2.Timestamp
    mode: str
    key_id: str
    user_id: str
    def __init__(self, generation_id: _Optional[str] = ..., org_id: _Optional[str] = ..., voice_id: _Optional[str] = ..., text: _Optional[str] = ..., characters: _Optional[int] = ..., format: _Optional[str] = ..., engine: _Optional[str] = ..., engine_settings: _Optional[str] = ..., speed: _Optional[float] = ..., requested_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., mode: _Optional[str] = ..., key_id: _Optional[str] = ..., user_id: _Optional[str] = ...) -> None: ...

class GenerationDeferred(_message.Message):
    __slots__ = ("generation_id", "org_id", "request", "deferred_at")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    DEFERRED_AT_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    org_id: str
    request: GenerationRequested
    deferred_at: _timestamp_pb2.Timestamp
    def __init__(self, generation_id: _Optional[str] = ..., org_id: _Optional[str] = ..., request: _Optional[_Union[GenerationRequested, _Mapping]] = ..., deferred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GenerationProgressed(_message.Message):
    __slots__ = ("generation_id", "org_id", "chunks_done", "chunks_total", "progressed_at")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_DONE_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    PROGRESSED_AT_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    org_id: str
    chunks_done: int
    chunks_total: int
    progressed_at: _timestamp_pb2.Timestamp
    def __init__(self, generation_id: _Optional[str] = ..., org_id: _Optional[str] = ..., chunks_done: _Optional[int] = ..., chunks_total: _Optional[int] = ..., progressed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Alignment(_message.Message):
    __slots__ = ("start_times", "end_times")
    START_TIMES_FIELD_NUMBER: _ClassVar[int]
    END_TIMES_FIELD_NUMBER: _ClassVar[int]
    start_times: _containers.RepeatedScalarFieldContainer[float]
    end_times: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, start_times: _Optional[_Iterable[float]] = ..., end_times: _Optional[_Iterable[float]] = ...) -> None: ...

class AudioRendered(_message.Message):
    __slots__ = ("generation_id", "org_id", "object_key", "content_type", "format", "size_bytes", "sha256", "duration_seconds", "sample_rate", "text", "alignment", "model_id", "rendered_at", "alignment_key", "normalized", "language", "input_type", "md5", "completed")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    OBJECT_KEY_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    DURATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENT_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    RENDERED_AT_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENT_KEY_FIELD_NUMBER: _ClassVar[int]
    NORMALIZED_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    INPUT_TYPE_FIELD_NUMBER: _ClassVar[int]
    MD5_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    org_id: str
    object_key: str
    content_type: str
    format: str
    size_bytes: int
    sha256: str
    duration_seconds: float
    sample_rate: int
    text: str
    alignment: Alignment
    model_id: str
    rendered_at: _timestamp_pb2.Timestamp
    alignment_key: str
    normalized: Normalized
    language: str
    input_type: str
    md5: str
    completed: bool
    def __init__(self, generation_id: _Optional[str] = ..., org_id: _Optional[str] = ..., object_key: _Optional[str] = ..., content_type: _Optional[str] = ..., format: _Optional[str] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[str] = ..., duration_seconds: _Optional[float] = ..., sample_rate: _Optional[int] = ..., text: _Optional[str] = ..., alignment: _Optional[_Union[Alignment, _Mapping]] = ..., model_id: _Optional[str] = ..., rendered_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., alignment_key: _Optional[str] = ..., normalized: _Optional[_Union[Normalized, _Mapping]] = ..., language: _Optional[str] = ..., input_type: _Optional[str] = ..., md5: _Optional[str] = ..., completed: _Optional[bool] = ...) -> None: ...

class Normalized(_message.Message):
    __slots__ = ("text", "alignment")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENT_FIELD_NUMBER: _ClassVar[int]
    text: str
    alignment: Alignment
    def __init__(self, text: _Optional[str] = ..., alignment: _Optional[_Union[Alignment, _Mapping]] = ...) -> None: ...

class GenerationCompleted(_message.Message):
    __slots__ = ("generation_id", "org_id", "voice_id", "voice_name", "text", "characters", "duration_seconds", "format", "size_bytes", "model_id", "completed_at", "characters_spoken", "text_omitted", "audio_id", "key_id", "user_id")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    VOICE_ID_FIELD_NUMBER: _ClassVar[int]
    VOICE_NAME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    DURATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_AT_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_SPOKEN_FIELD_NUMBER: _ClassVar[int]
    TEXT_OMITTED_FIELD_NUMBER: _ClassVar[int]
    AUDIO_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    org_id: str
    voice_id: str
    voice_name: str
    text: str
    characters: int
    duration_seconds: float
    format: str
    size_bytes: int
    model_id: str
    completed_at: _timestamp_pb2.Timestamp
    characters_spoken: int
    text_omitted: int
    audio_id: str
    key_id: str
    user_id: str
    def __init__(self, generation_id: _Optional[str] = ..., org_id: _Optional[str] = ..., voice_id: _Optional[str] = ..., voice_name: _Optional[str] = ..., text: _Optional[str] = ..., characters: _Optional[int] = ..., duration_seconds: _Optional[float] = ..., format: _Optional[str] = ..., size_bytes: _Optional[int] = ..., model_id: _Optional[str] = ..., completed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., characters_spoken: _Optional[int] = ..., text_omitted: _Optional[int] = ..., audio_id: _Optional[str] = ..., key_id: _Optional[str] = ..., user_id: _Optional[str] = ...) -> None: ...

class GenerationFailed(_message.Message):
    __slots__ = ("generation_id", "org_id", "code", "reason", "failed_at")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FAILED_AT_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    org_id: str
    code: str
    reason: str
    failed_at: _timestamp_pb2.Timestamp
    def __init__(self, generation_id: _Optional[str] = ..., org_id: _Optional[str] = ..., code: _Optional[str] = ..., reason: _Optional[str] = ..., failed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GenerationCanceled(_message.Message):
    __slots__ = ("generation_id", "org_id", "canceled_at")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    CANCELED_AT_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    org_id: str
    canceled_at: _timestamp_pb2.Timestamp
    def __init__(self, generation_id: _Optional[str] = ..., org_id: _Optional[str] = ..., canceled_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GenerationDeleted(_message.Message):
    __slots__ = ("generation_id", "org_id", "object_keys", "deleted_at", "audio_id")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    OBJECT_KEYS_FIELD_NUMBER: _ClassVar[int]
    DELETED_AT_FIELD_NUMBER: _ClassVar[int]
    AUDIO_ID_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    org_id: str
    object_keys: _containers.RepeatedScalarFieldContainer[str]
    deleted_at: _timestamp_pb2.Timestamp
    audio_id: str
    def __init__(self, generation_id: _Optional[str] = ..., org_id: _Optional[str] = ..., object_keys: _Optional[_Iterable[str]] = ..., deleted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., audio_id: _Optional[str] = ...) -> None: ...

class ObjectsAbandoned(_message.Message):
    __slots__ = ("org_id", "object_keys", "found_at")
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    OBJECT_KEYS_FIELD_NUMBER: _ClassVar[int]
    FOUND_AT_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    object_keys: _containers.RepeatedScalarFieldContainer[str]
    found_at: _timestamp_pb2.Timestamp
    def __init__(self, org_id: _Optional[str] = ..., object_keys: _Optional[_Iterable[str]] = ..., found_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AudioExpired(_message.Message):
    __slots__ = ("audio_id", "org_id", "object_keys", "expired_at")
    AUDIO_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    OBJECT_KEYS_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_AT_FIELD_NUMBER: _ClassVar[int]
    audio_id: str
    org_id: str
    object_keys: _containers.RepeatedScalarFieldContainer[str]
    expired_at: _timestamp_pb2.Timestamp
    def __init__(self, audio_id: _Optional[str] = ..., org_id: _Optional[str] = ..., object_keys: _Optional[_Iterable[str]] = ..., expired_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

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
