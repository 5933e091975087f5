"""What becomes of audio and of voices' objects: kept once it is verified, removed with its owner."""

from __future__ import annotations

from services.storage.usecases.deps import Deps
from services.storage.usecases.erasing import ERASE_ORGANIZATION, ERASED, erase_organization
from services.storage.usecases.finding import find_audio, read_alignment
from services.storage.usecases.keeping import KEEP_AUDIO, keep_audio, reject_audio
from services.storage.usecases.removing import (
    EXPIRE_AUDIO,
    REMOVE_AUDIO,
    REMOVE_MEDIA,
    REMOVE_VOICE_OBJECTS,
    expire_audio,
    remove_abandoned,
    remove_audio,
    remove_media_objects,
    remove_voice_objects,
)

__all__ = [
    "ERASED",
    "ERASE_ORGANIZATION",
    "EXPIRE_AUDIO",
    "KEEP_AUDIO",
    "REMOVE_AUDIO",
    "REMOVE_MEDIA",
    "REMOVE_VOICE_OBJECTS",
    "Deps",
    "erase_organization",
    "expire_audio",
    "find_audio",
    "keep_audio",
    "read_alignment",
    "reject_audio",
    "remove_abandoned",
    "remove_audio",
    "remove_media_objects",
    "remove_voice_objects",
]
