from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ReserveRequest(_message.Message):
    __slots__ = ("reservation_id", "org_id", "characters", "again", "unit", "release", "lifetime_seconds")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    org_id: str
    characters: int
    again: bool
    unit: str
    release: bool
    lifetime_seconds: int
    def __init__(self, reservation_id: _Optional[str] = ..., org_id: _Optional[str] = ..., characters: _Optional[int] = ..., again: _Optional[bool] = ..., unit: _Optional[str] = ..., release: _Optional[bool] = ..., lifetime_seconds: _Optional[int] = ...) -> None: ...

class ReserveReply(_message.Message):
    __slots__ = ("granted", "limit", "remaining", "resets_at", "concurrency", "unit")
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    RESETS_AT_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    granted: bool
    limit: int
    remaining: int
    resets_at: int
    concurrency: int
    unit: str
    def __init__(self, granted: _Optional[bool] = ..., limit: _Optional[int] = ..., remaining: _Optional[int] = ..., resets_at: _Optional[int] = ..., concurrency: _Optional[int] = ..., unit: _Optional[str] = ...) -> None: ...

class ChangeSubscriptionRequest(_message.Message):
    __slots__ = ("org_id", "plan", "status", "effective", "end_date")
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_FIELD_NUMBER: _ClassVar[int]
    END_DATE_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    plan: str
    status: str
    effective: str
    end_date: int
    def __init__(self, org_id: _Optional[str] = ..., plan: _Optional[str] = ..., status: _Optional[str] = ..., effective: _Optional[str] = ..., end_date: _Optional[int] = ...) -> None: ...

class ChangeSubscriptionReply(_message.Message):
    __slots__ = ("plan", "status", "plan_in_force", "start_date", "end_date", "next_plan", "changes_at", "refusal_field", "refusal")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PLAN_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    START_DATE_FIELD_NUMBER: _ClassVar[int]
    END_DATE_FIELD_NUMBER: _ClassVar[int]
    NEXT_PLAN_FIELD_NUMBER: _ClassVar[int]
    CHANGES_AT_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    plan: str
    status: str
    plan_in_force: str
    start_date: int
    end_date: int
    next_plan: str
    changes_at: int
    refusal_field: str
    refusal: str
    def __init__(self, plan: _Optional[str] = ..., status: _Optional[str] = ..., plan_in_force: _Optional[str] = ..., start_date: _Optional[int] = ..., end_date: _Optional[int] = ..., next_plan: _Optional[str] = ..., changes_at: _Optional[int] = ..., refusal_field: _Optional[str] = ..., refusal: _Optional[str] = ...) -> None: ...
