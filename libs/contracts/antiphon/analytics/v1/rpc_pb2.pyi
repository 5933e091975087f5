from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ReserveRequest(_message.Message):
    __slots__ = ("reservation_id", "org_id", "characters", "again")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    org_id: str
    characters: int
    again: bool
    def __init__(self, reservation_id: _Optional[str] = ..., org_id: _Optional[str] = ..., characters: _Optional[int] = ..., again: _Optional[bool] = ...) -> None: ...

class ReserveReply(_message.Message):
    __slots__ = ("granted", "limit", "remaining", "resets_at", "concurrency")
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    RESETS_AT_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    granted: bool
    limit: int
    remaining: int
    resets_at: int
    concurrency: int
    def __init__(self, granted: _Optional[bool] = ..., limit: _Optional[int] = ..., remaining: _Optional[int] = ..., resets_at: _Optional[int] = ..., concurrency: _Optional[int] = ...) -> None: ...
