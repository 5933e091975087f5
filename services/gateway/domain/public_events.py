"""Which events clients may see, under which names, and what is said in them: one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from libs.contracts.antiphon.analytics.v1 import events_pb2 as analytics
from libs.contracts.antiphon.embedding.v1 import events_pb2 as embedding
from libs.contracts.antiphon.gateway.v1 import events_pb2 as gateway
from libs.contracts.antiphon.generation.v1 import events_pb2 as generation
from libs.contracts.antiphon.storage.v1 import events_pb2 as storage
from libs.contracts.antiphon.voice.v1 import events_pb2 as voice


@dataclass(frozen=True, slots=True)
class PublicForm:
    """What clients see of one kind of event.

    `fields` are those of the event that are told, `renamed` those that are told under another name; an empty text is
    told as null. Texts, object keys and organisations are never told.
    """

    type: str
    fields: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)

    def data(self, event: Message) -> dict[str, Any]:  # Any: whatever JSON can say
        """Return what is told of `event`."""
        told = {name: _told(event, name) for name in self.fields}
        return told | {public: _told(event, name) for name, public in self.renamed.items()}


_GENERATION = ("generation_id",)
_VOICE = ("voice_id",)
_DOCUMENT = ("document_id", "source_type", "source_id")

FORMS: Mapping[type[Message], PublicForm] = {
    generation.GenerationRequested: PublicForm(
        "generation.requested", (*_GENERATION, "voice_id", "characters", "format", "mode")
    ),
    generation.GenerationDeferred: PublicForm("generation.deferred", _GENERATION),
    generation.GenerationProgressed: PublicForm("generation.progress", (*_GENERATION, "chunks_done", "chunks_total")),
    generation.GenerationCompleted: PublicForm(
        "generation.completed",
        (
            *_GENERATION,
            "voice_id",
            "voice_name",
            "characters",
            "duration_seconds",
            "format",
            "size_bytes",
            "model_id",
        ),
    ),
    generation.GenerationFailed: PublicForm("generation.failed", (*_GENERATION, "code", "reason")),
    generation.GenerationCanceled: PublicForm("generation.canceled", _GENERATION),
    generation.GenerationDeleted: PublicForm("generation.deleted", _GENERATION),
    voice.VoiceCreated: PublicForm("voice.created", _VOICE),
    voice.VoiceReady: PublicForm("voice.ready", _VOICE),
    voice.VoiceRejected: PublicForm("voice.rejected", (*_VOICE, "reasons")),
    voice.VoiceUpdated: PublicForm("voice.updated", _VOICE),
    voice.VoiceDeleted: PublicForm("voice.deleted", _VOICE),
    storage.MediaStored: PublicForm("media.stored", ("media_id", "kind", "purpose", "content_type", "size_bytes")),
    storage.MediaRemoved: PublicForm("media.removed", ("media_id",)),
    embedding.DocumentIndexed: PublicForm("document.indexed", (*_DOCUMENT, "chunks")),
    embedding.DocumentFailed: PublicForm("document.failed", (*_DOCUMENT, "reason")),
    embedding.DocumentRemoved: PublicForm("document.removed", _DOCUMENT),
    analytics.UsageRecorded: PublicForm(
        "usage.recorded", ("usage_id", "unit", "quantity"), {"resource_id": "generation_id"}
    ),
    analytics.SubscriptionChanged: PublicForm(
        "subscription.changed",
        ("plan", "status", "plan_in_force", "next_plan", "start_date", "end_date", "changes_at"),
    ),
    analytics.QuotaThresholdReached: PublicForm(
        "quota.threshold_reached", ("percent", "limit", "used", "period", "resets_at"), {"unit": "quota"}
    ),
    gateway.ApiKeyCreated: PublicForm("api_key.created", ("key_id", "prefix")),
    gateway.OrganizationUpdated: PublicForm("organization.updated", ("name",)),
    gateway.MemberJoined: PublicForm("member.joined", ("user_id", "role")),
    gateway.MemberRoleChanged: PublicForm("member.role_changed", ("user_id", "role")),
    gateway.MemberRemoved: PublicForm("member.removed", ("user_id",)),
    gateway.ApiKeyRevoked: PublicForm("api_key.revoked", ("key_id",)),
    gateway.ExportCompleted: PublicForm("export.completed", ("export_id", "user_id", "expires_at")),
    gateway.ExportFailed: PublicForm("export.failed", ("export_id", "user_id", "services", "expires_at")),
    gateway.WebhookDisabled: PublicForm("webhook.disabled", ("webhook_id", "reason")),
}

KEPT_INSIDE: Mapping[type[Message], str] = {
    generation.AudioRendered: "A step on the way; the generation is completed or fails after it.",
    storage.AudioStored: "A step on the way; the generation is completed after it.",
    storage.AudioRejected: "A step on the way; the generation fails after it.",
    generation.ObjectsAbandoned: "Nothing that a client knows of refers to them.",
    generation.AudioExpired: "Follows from the plan; the audio says so to whoever asks for it.",
    storage.AudioLost: "Whoever asks for the audio is told so until it is made again.",
    storage.AudioDeleted: "Follows from the deletion of a generation.",
    storage.MediaDeleted: "Follows from the deletion of a voice or of media.",
    voice.VoiceSubmitted: "Recordings that are about to be examined; the voice is ready or rejected after it.",
    embedding.DocumentSubmitted: "Whoever brought it was told so; it is indexed or fails after it.",
    gateway.OrganizationErasureRequested: "Nobody of the organisation can listen any more.",
    voice.OrganizationErased: "Nobody of the organisation can listen any more.",
    generation.OrganizationErased: "Nobody of the organisation can listen any more.",
    storage.OrganizationErased: "Nobody of the organisation can listen any more.",
    embedding.OrganizationErased: "Nobody of the organisation can listen any more.",
    analytics.OrganizationErased: "Nobody of the organisation can listen any more.",
    gateway.ExportRequested: "Whoever asked was told so; GET /v1/exports/{id} says how far it is.",
    analytics.DataExported: "A step on the way; GET /v1/exports/{id} says how far it is.",
    embedding.DataExported: "A step on the way; GET /v1/exports/{id} says how far it is.",
    gateway.DataExported: "A step on the way; GET /v1/exports/{id} says how far it is.",
    generation.DataExported: "A step on the way; GET /v1/exports/{id} says how far it is.",
    storage.DataExported: "A step on the way; GET /v1/exports/{id} says how far it is.",
    voice.DataExported: "A step on the way; GET /v1/exports/{id} says how far it is.",
    gateway.OrganizationCreated: "Nobody of the organisation can listen before it exists.",
}
"""Events that no client sees, and why: every event is in one of the two tables."""

LIVE_ONLY = frozenset({generation.GenerationProgressed})
"""Events for those who listen: a request to a webhook for every step of a job would be a burden to both sides."""

_BY_NAME = {message.DESCRIPTOR.full_name: form for message, form in FORMS.items()}
TYPES = frozenset(form.type for form in FORMS.values())
WEBHOOK_FORMS = {message: form for message, form in FORMS.items() if message not in LIVE_ONLY}
WEBHOOK_TYPES = frozenset(form.type for form in WEBHOOK_FORMS.values())


def form_of(event_name: str) -> PublicForm | None:
    """Return what clients see of the event with this full name; None where they see nothing."""
    return _BY_NAME.get(event_name)


@dataclass(frozen=True, slots=True)
class PublicEvent:
    """An event as clients see it. `id` stays the same however often and by whatever way it is told."""

    id: UUID
    type: str
    data: Mapping[str, Any]  # Any: whatever JSON can say

    @property
    def created_at(self) -> datetime:
        """When it happened, to the millisecond: its id is a UUIDv7, which begins with that."""
        return datetime.fromtimestamp((self.id.int >> 80) / 1000, UTC)

    def body(self) -> bytes:
        """Return the JSON that subscribers and webhooks get: UTF-8 without line breaks."""
        created_at = self.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return orjson.dumps({"id": str(self.id), "type": self.type, "created_at": created_at, "data": self.data})


def public_event(event_id: UUID, event: Message) -> PublicEvent | None:
    """Return what clients see of `event`; None where they see nothing."""
    form = _BY_NAME.get(event.DESCRIPTOR.full_name)
    return PublicEvent(event_id, form.type, form.data(event)) if form else None


class UnknownType(ValueError):
    """A filter names a type of event that there is not."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"there is no event {name[:80]!r}; name types, or families such as `generation.*`, of: "
            + ", ".join(sorted(known))
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events somebody wants: their types, and the generation or voice that they must be about."""

    types: frozenset[str]
    generation_id: UUID | None = None
    voice_id: UUID | None = None

    def matches(self, event_type: str, data: Mapping[str, Any]) -> bool:  # Any: whatever JSON can say
        """Say whether an event is wanted."""
        return (
            event_type in self.types
            and _is_about(self.generation_id, data.get("generation_id"))
            and _is_about(self.voice_id, data.get("voice_id"))
        )


def types_named(patterns: Sequence[str], known: frozenset[str]) -> frozenset[str]:
    """Return the types that `patterns` name: each a type, a family (`voice` or `voice.*`), or `*`; none name all.

    Raises UnknownType.
    """
    named: set[str] = set()
    for pattern in patterns:
        family = pattern.removesuffix(".*")
        matching = {one for one in known if pattern == "*" or one == pattern or one.startswith(f"{family}.")}
        if not matching:
            raise UnknownType(pattern, known)
        named |= matching
    return frozenset(named) if patterns else known


def _is_about(wanted: UUID | None, told: object) -> bool:
    return wanted is None or told == str(wanted)


def _told(event: Message, name: str) -> Any:  # Any: a field of any type
    value = getattr(event, name)
    if isinstance(value, Timestamp):
        return value.ToJsonString() if event.HasField(name) else None
    return _value(value)


def _value(value: Any) -> Any:  # Any: a field of any type
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool | int | float):
        return value
    return [_value(one) for one in value]
