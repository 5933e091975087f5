"""What a generation is, and the decisions about it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

TEXT_MAX_LENGTH = 5000
"""Characters (code points) of one interactive request; from the platform's data model."""
WAIT_MAX_SECONDS = 60
_PREFER_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?(?:$|[,;\s])", re.IGNORECASE)
SAMPLING_PARAMETERS = ("temperature", "top_p", "top_k", "repetition_penalty")

Status = Literal["pending", "processing", "completed", "failed"]
AudioFormatName = Literal["mp3", "wav"]


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for; ranges were checked at the door."""

    text: str
    voice_id: UUID
    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float
    speed: float
    format: AudioFormatName

    @property
    def characters(self) -> int:
        """Unicode code points: the unit of metering and of alignment."""
        return len(self.text)

    def fingerprint(self) -> str:
        """Return what two equal requests have in common: a SHA-256 in hexadecimal."""
        fields = {name: str(getattr(self, name)) for name in self.__slots__}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice as this service knows it from events."""

    id: UUID
    org_id: UUID | None
    name: str
    engine: str
    # Any: JSON that only the engine understands.
    engine_settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Generation:
    """A request for speech and what has become of it."""

    id: UUID
    org_id: UUID
    voice_id: UUID | None
    voice_name: str
    text: str
    characters: int
    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float
    speed: float
    format: str
    model_id: str
    applied: dict[str, Any]  # Any: the engine's own values
    status: Status
    error_code: str | None
    error: str | None
    object_key: str | None
    duration_seconds: float | None
    request_hash: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def is_finished(self) -> bool:
        """Say whether nothing more will happen by itself."""
        return self.status in ("completed", "failed")

    @property
    def ignored_parameters(self) -> list[str]:
        """Return the sampling parameters that the engine took no notice of."""
        return [name for name in SAMPLING_PARAMETERS if name not in self.applied]


class GenerationNotFound(Exception):
    """There is no such generation in the caller's organisation."""


class UnknownVoice(Exception):
    """There is no such voice for the caller's organisation."""


class GenerationUnfinished(Exception):
    """The audio is still being made."""


class GenerationFailedError(Exception):
    """There will be no audio."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class IdempotencyConflict(Exception):
    """The idempotency key was used for another request."""


class QuotaExceeded(Exception):
    """The organisation's plan does not cover the text."""

    def __init__(self, *, asked: int, limit: int, remaining: int, resets_at: datetime) -> None:
        super().__init__(f"{asked} of {remaining}")
        self.asked = asked
        self.limit = limit
        self.remaining = remaining
        self.resets_at = resets_at

    @property
    def explanation(self) -> str:
        """Return what a client is told: what was asked, what is left, and until when."""
        return (
            f"The text has {self.asked} characters; {self.remaining} of {self.limit} are left until "
            f"{self.resets_at.isoformat()}. Send a shorter text, or change the plan."
        )


def object_key(org_id: UUID, generation_id: UUID, sha256: str, extension: str) -> str:
    """Return the key of a generation's audio: by content, so that no other audio ever overwrites it."""
    return f"generations/orgs/{org_id}/{generation_id}/{sha256[:16]}.{extension}"


def may_be_on_its_way(voice_id: UUID, now: datetime, grace: timedelta = timedelta(seconds=60)) -> bool:
    """Say whether an unknown voice may be so new that its event has not arrived: a UUIDv7 tells its time."""
    if voice_id.version != 7:
        return False
    made = datetime.fromtimestamp((voice_id.int >> 80) / 1000, tz=UTC)
    return abs(now - made) <= grace


def wait_seconds(prefer: str | None) -> int:
    """Return for how long a client is willing to wait, by its `Prefer` header (RFC 7240), at most WAIT_MAX_SECONDS."""
    match = _PREFER_WAIT.search(prefer or "")
    return min(int(match[1]), WAIT_MAX_SECONDS) if match else 0


def audio_of(generation: Generation) -> Generation:
    """Return `generation` if it has audio; raises GenerationUnfinished or GenerationFailedError."""
    if generation.status == "failed":
        raise GenerationFailedError(generation.error_code or "failed", generation.error or "")
    if generation.status != "completed":
        raise GenerationUnfinished
    return generation
