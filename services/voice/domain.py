"""What a voice is, what it may be called, and what a recording must be to become one."""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from libs.speech.catalogue import SystemVoice

# From the platform's data model and its rules for reference audio.
NAME_MAX_LENGTH = 100
DESCRIPTION_MAX_LENGTH = 500
RECORDING_MAX_BYTES = 20 * 2**20
RECORDING_MIN_SECONDS = 10.0
DEFAULT_LANGUAGE = "en-US"


class Category(StrEnum):
    """What a voice is good for."""

    AUDIOBOOK = "AUDIOBOOK"
    CONVERSATIONAL = "CONVERSATIONAL"
    CUSTOMER_SERVICE = "CUSTOMER_SERVICE"
    GENERAL = "GENERAL"
    NARRATIVE = "NARRATIVE"
    CHARACTERS = "CHARACTERS"
    MEDITATION = "MEDITATION"
    MOTIVATIONAL = "MOTIVATIONAL"
    PODCAST = "PODCAST"
    ADVERTISING = "ADVERTISING"
    VOICEOVER = "VOICEOVER"
    CORPORATE = "CORPORATE"

    @property
    def label(self) -> str:
        """The category as people read it: "Customer Service"."""
        return self.value.replace("_", " ").title()


class Variant(StrEnum):
    """Whose a voice is: everybody's or one organisation's."""

    SYSTEM = "SYSTEM"
    CUSTOM = "CUSTOM"


class Status(StrEnum):
    """How far a voice is. Only a ready one can be spoken with."""

    DRAFT = "draft"
    PROCESSING = "processing"
    READY = "ready"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class NewVoice:
    """What a client wants a custom voice to be."""

    name: str
    description: str | None
    category: Category
    language: str


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of the library. `org_id` is None exactly for system voices; `revision` grows with every change."""

    id: UUID
    org_id: UUID | None
    name: str
    description: str | None
    category: Category
    language: str
    variant: Variant
    object_key: str | None
    engine: str
    # Any: JSON that only the engine understands.
    engine_settings: dict[str, Any]
    status: Status
    revision: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Recording:
    """What a WAV file holds; `sample_rate` in Hz."""

    duration_seconds: float
    sample_rate: int
    channels: int


class VoiceNotFound(Exception):
    """The caller's organisation knows no such voice."""


class AudioNotFound(Exception):
    """The voice has nothing to listen to yet."""


class SystemVoiceKept(Exception):
    """System voices belong to everybody and cannot be deleted."""


class VoiceNameTaken(Exception):
    """The organisation has a voice of that name."""


class LanguageNotSpoken(Exception):
    """The engine has no voice for the language; the message names it."""


class RecordingTooLarge(Exception):
    """The file has more than RECORDING_MAX_BYTES."""


class NotAudio(Exception):
    """The file is no recording that is understood; the message says why."""


class RecordingTooShort(Exception):
    """The recording is shorter than RECORDING_MIN_SECONDS."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def plain_text(text: str) -> str:
    """Return `text` without outer space and in Unicode's composed form; ValueError for what cannot be stored."""
    if "\0" in text:
        raise ValueError(f"has a NUL character at position {text.index(chr(0))}; remove it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"is not valid Unicode at position {error.start}") from None
    return unicodedata.normalize("NFC", text.strip())


_LANGUAGE_TAG = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8})*", re.ASCII | re.IGNORECASE)
_TAG_MAX_LENGTH = 35  # what RFC 5646, section 4.4.1, asks everybody to take


def language_tag(tag: str) -> str:
    """Return a BCP 47 tag in its usual case ("en-us" → "en-US"); ValueError if it is none."""
    if len(tag) > _TAG_MAX_LENGTH or not _LANGUAGE_TAG.fullmatch(tag):
        raise ValueError("is not a BCP 47 language tag such as en-US, ru-RU or hi-IN")
    language, *rest = tag.lower().split("-")
    return "-".join([language, *map(_subtag, rest)])


def _subtag(subtag: str) -> str:
    """Regions are written in capitals, scripts with one (RFC 5646, section 2.1.1)."""
    if len(subtag) == 2:
        return subtag.upper()
    return subtag.title() if len(subtag) == 4 and subtag.isalpha() else subtag


_PCM, _FLOAT, _EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
_SAMPLE_BITS = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64)}
_SAMPLE_RATES = range(8_000, 192_001)
_MOST_CHANNELS = 8
_MOST_CHUNKS = 1_000  # a bound on the work that a hostile file can cause; real ones have a handful


def measure_wav(content: bytes) -> Recording:
    """Return what a WAV file (PCM or float samples) really holds, whatever its header promises.

    Reads headers only, so it takes no noticeable time. Raises NotAudio.
    """
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise NotAudio("this is not a WAV file (RIFF/WAVE with PCM samples)")
    layout: tuple[int, int, int] | None = None
    position = 12
    for _ in range(_MOST_CHUNKS):
        name, size = content[position : position + 4], content[position + 4 : position + 8]
        if len(size) < 4:
            break
        begin = position + 8
        end = min(begin + int.from_bytes(size, "little"), len(content))
        if name == b"fmt ":
            layout = _sample_layout(content[begin:end])
        elif name == b"data" and layout is not None:
            rate, channels, frame_bytes = layout
            return Recording((end - begin) // frame_bytes / rate, rate, channels)
        position = end + end % 2
    raise NotAudio("the WAV file is damaged: it has no samples or does not say of what kind they are")


def _sample_layout(fmt: bytes) -> tuple[int, int, int]:
    """Return sample rate, channels and bytes of one sample of all channels."""
    if len(fmt) < 16:
        raise NotAudio("the WAV file is damaged: its format description is cut off")
    kind = int.from_bytes(fmt[:2], "little")
    if kind == _EXTENSIBLE and len(fmt) >= 26:
        kind = int.from_bytes(fmt[24:26], "little")
    channels, rate = int.from_bytes(fmt[2:4], "little"), int.from_bytes(fmt[4:8], "little")
    bits = int.from_bytes(fmt[14:16], "little")
    if bits not in _SAMPLE_BITS.get(kind, ()):
        raise NotAudio("the WAV file holds no PCM samples; save it as 16-bit PCM")
    if not 1 <= channels <= _MOST_CHANNELS:
        raise NotAudio(f"the WAV file says that it has {channels} channels; 1 to {_MOST_CHANNELS} are understood")
    if rate not in _SAMPLE_RATES:
        raise NotAudio(f"the WAV file says that it has {rate} samples a second; 8,000 to 192,000 are understood")
    return rate, channels, channels * bits // 8


def check_recording(content: bytes) -> Recording:
    """Return what `content` holds if a voice can be made of it; raises NotAudio or RecordingTooShort."""
    recording = measure_wav(content)
    if recording.duration_seconds < RECORDING_MIN_SECONDS:
        raise RecordingTooShort(recording.duration_seconds)
    return recording


def tenths(seconds: float) -> str:
    """Return `seconds` rounded down, so that 9.99 never reads as the 10 that are asked for."""
    return f"{math.floor(seconds * 10) / 10:.1f}"


def object_key(voice_id: UUID, org_id: UUID | None) -> str:
    """Return where the audio of a voice lies in the object store."""
    return f"voices/system/{voice_id}" if org_id is None else f"voices/orgs/{org_id}/{voice_id}"


def custom_voice(
    wanted: NewVoice, *, voice_id: UUID, org_id: UUID, engine: str, engine_settings: dict[str, Any], now: datetime
) -> Voice:
    """Return the voice that an organisation gets for its recording."""
    return Voice(
        id=voice_id,
        org_id=org_id,
        name=wanted.name,
        description=wanted.description,
        category=wanted.category,
        language=wanted.language,
        variant=Variant.CUSTOM,
        object_key=object_key(voice_id, org_id),
        engine=engine,
        engine_settings=engine_settings,
        status=Status.READY,
        revision=1,
        created_at=now,
        updated_at=now,
    )


def system_voice(entry: SystemVoice, *, engine: str, now: datetime) -> Voice:
    """Return the voice that everybody gets from an entry of the catalogue."""
    return Voice(
        id=entry.id,
        org_id=None,
        name=entry.name,
        description=entry.description,
        category=Category(entry.category),
        language=entry.language,
        variant=Variant.SYSTEM,
        object_key=object_key(entry.id, None),
        engine=engine,
        engine_settings=entry.profile.to_settings(),
        status=Status.READY,
        revision=1,
        created_at=now,
        updated_at=now,
    )


def fingerprint(entry: SystemVoice) -> str:
    """Return what changes whenever the catalogue's entry does: a SHA-256 in hexadecimal."""
    return hashlib.sha256(json.dumps(asdict(entry), sort_keys=True).encode()).hexdigest()
