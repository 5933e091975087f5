import datetime

from libs.contracts.antiphon.options.v1 import options_pb2 as _options_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UsageRecorded(_message.Message):
    __slots__ = ("usage_id", "org_id", "unit", "quantity", "resource_id", "recorded_at")
    USAGE_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    RECORDED_AT_FIELD_NUMBER: _ClassVar[int]
    usage_id: str
    org_id: str
    unit: str
    quantity: float
    resource_id: str
    recorded_at: _timestamp_pb2.Timestamp
    def __init__(self, usage_id: _Optional[str] = ..., org_id: _Optional[str] = ..., unit: _Optional[str] = ..., quantity: _Optional[float] = ..., resource_id: _Optional[str] = ..., recorded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

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

class SubscriptionChanged(_message.Message):
    __slots__ = ("org_id", "plan", "status", "start_date", "end_date", "plan_in_force", "next_plan", "changes_at", "revision", "changed_at")
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    START_DATE_FIELD_NUMBER: _ClassVar[int]
    END_DATE_FIELD_NUMBER: _ClassVar[int]
    PLAN_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    NEXT_PLAN_FIELD_NUMBER: _ClassVar[int]
    CHANGES_AT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    plan: str
    status: str
    start_date: _timestamp_pb2.Timestamp
    end_date: _timestamp_pb2.Timestamp
    plan_in_force: str
    next_plan: str
    changes_at: _timestamp_pb2.Timestamp
    revision: int
    changed_at: _timestamp_pb2.Timestamp
    def __init__(self, org_id: _Optional[str] = ..., plan: _Optional[str] = ..., status: _Optional[str] = ..., start_date: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_date: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., plan_in_force: _Optional[str] = ..., next_plan: _Optional[str] = ..., changes_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revision: _Optional[int] = ..., changed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class QuotaThresholdReached(_message.Message):
    __slots__ = ("org_id", "unit", "percent", "limit", "used", "period", "resets_at", "reached_at")
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    RESETS_AT_FIELD_NUMBER: _ClassVar[int]
    REACHED_AT_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    unit: str
    percent: int
    limit: int
    used: float
    period: str
    resets_at: _timestamp_pb2.Timestamp
    reached_at: _timestamp_pb2.Timestamp
    def __init__(self, org_id: _Optional[str] = ..., unit: _Optional[str] = ..., percent: _Optional[int] = ..., limit: _Optional[int] = ..., used: _Optional[float] = ..., period: _Optional[str] = ..., resets_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reached_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
