from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class FindAudioRequest(_message.Message):
    __slots__ = ("org_id", "generation_id")
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    generation_id: str
    def __init__(self, org_id: _Optional[str] = ..., generation_id: _Optional[str] = ...) -> None: ...

class FindAudioReply(_message.Message):
    __slots__ = ("audio_id",)
    AUDIO_ID_FIELD_NUMBER: _ClassVar[int]
    audio_id: str
    def __init__(self, audio_id: _Optional[str] = ...) -> None: ...
