"""What a voice is: whose it is, how far it is, and how everybody's and an organisation's own come to be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from libs.audio.quality import MOST_BYTES
from libs.speech.catalogue.voice import SystemVoice

# From the platform's data model and its rules for reference audio.
NAME_MAX_LENGTH = 100
DESCRIPTION_MAX_LENGTH = 500
RECORDING_MAX_BYTES = MOST_BYTES
RECORDINGS_MOST = 8
DEFAULT_LANGUAGE = "en-US"

USUAL_SETTINGS = {"speed": 1.0, "pitch": 0.0, "volume": 1.0}
"""What requests are spoken with if neither they nor the voice say otherwise: a factor, semitones, a factor."""


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
    settings: dict[str, float] = field(default_factory=dict)
    """Of USUAL_SETTINGS those that this voice has otherwise."""
    # Any: JSON for clients: findings with code, message and sample_id; the report on all recordings; on the matching.
    reasons: list[dict[str, Any]] = field(default_factory=list)
    quality: dict[str, Any] | None = None
    matching: dict[str, Any] | None = None
    sample_count: int = 0
    preview_key: str | None = None
    """Where a custom voice's spoken preview lies; the preview of a system voice is its audio."""
    preview_sha256: str | None = None
    """Of the preview, in hexadecimal; None where there is none, or an earlier release made it."""
    discarded_keys: list[str] = field(default_factory=list)
    """Objects that are not used any more and are not known to be gone."""
    submitted: int = 0
    examined: int = 0
    """How often its recordings were submitted, and which submission was examined last."""

    @property
    def is_examined(self) -> bool:
        """Whether nobody has to look at its recordings."""
        return self.examined == self.submitted


def object_key(voice_id: UUID, org_id: UUID | None, part: UUID | str | None = None) -> str:
    """Return where the audio of a voice lies in the object store; `part` is a recording's id or a preview's."""
    if org_id is None:
        return f"voices/system/{voice_id}"
    return f"voices/orgs/{org_id}/{voice_id}/{part}"


def speaking_settings(known: Mapping[str, float], changes: Mapping[str, float | None]) -> dict[str, float]:
    """Return settings with changes, without those that are as usual; None makes one usual again."""
    wanted = {**known, **changes}
    return {name: value for name, value in wanted.items() if value is not None and value != USUAL_SETTINGS[name]}


def custom_voice(
    wanted: NewVoice,
    *,
    voice_id: UUID,
    org_id: UUID,
    first_key: str,
    sample_count: int,
    engine: str,
    engine_settings: dict[str, Any],
    now: datetime,
) -> Voice:
    """Return the voice that an organisation gets for its recordings, which are to be examined.

    `first_key` is where the first of them lies, `engine_settings` are those of the language's plain voice.
    """
    return Voice(
        id=voice_id,
        org_id=org_id,
        name=wanted.name,
        description=wanted.description,
        category=wanted.category,
        language=wanted.language,
        variant=Variant.CUSTOM,
        object_key=first_key,
        engine=engine,
        engine_settings=engine_settings,
        status=Status.PROCESSING,
        revision=1,
        created_at=now,
        updated_at=now,
        sample_count=sample_count,
        submitted=1,
    )


def system_voice(entry: SystemVoice, *, engine: str, now: datetime, preview_sha256: str | None = None) -> Voice:
    """Return the voice that everybody gets from an entry of the catalogue, with its preview."""
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
        preview_sha256=preview_sha256,
        status=Status.READY,
        revision=1,
        created_at=now,
        updated_at=now,
    )


def fingerprint(entry: SystemVoice) -> str:
    """Return what changes whenever the catalogue's entry does: a SHA-256 in hexadecimal."""
    return hashlib.sha256(json.dumps(asdict(entry), sort_keys=True).encode()).hexdigest()
