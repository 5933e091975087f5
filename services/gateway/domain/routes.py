"""The public routes, which service answers each, and what a key needs for it: one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from services.gateway.domain.access import ANY_SCOPE, Scope
from services.gateway.domain.elevenlabs import table as elevenlabs

Service = Literal["voice", "generation", "storage", "embedding", "analytics"]
SERVICES = frozenset(get_args(Service))
Dialect = Literal["antiphon", "openai", "elevenlabs", "elevenlabs_once"]
"""Whose API a route speaks: in which form its errors are told; once: so that its clients do not repeat the request."""

MIB = 2**20
JSON_BYTES = 1 * MIB
BOOK_BYTES = 13 * MIB
"""1,000,000 characters that JSON writes as two escaped halves each, and what else a request says."""
DOCUMENT_BYTES = 21 * MIB
"""A file of 20 MB and the form around it, or JSON with as many characters as a book's."""
VOICE_BYTES = 21 * MIB
"""A voice's recordings of at most 20 MB in all, and the form around them."""
ANSWER_SECONDS = 30.0
WAIT_SECONDS = 75.0
"""A generation may be waited for for 60 s (`Prefer: wait`); what comes before and after needs some, too."""
UPLOAD_SECONDS = 300.0
"""21 MiB at 600 kbit/s."""


def dialect_of(path: str) -> Dialect:
    """Return whose API is meant by a path that is no route's."""
    others: tuple[Dialect, ...] = ("openai", "elevenlabs")
    return next((one for one in others if path.startswith(f"/{one}/")), "antiphon")


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. `{name}` in the template stands for one segment.

    `service` is None where the gateway answers itself; `scope` is None where no key is needed, and "any" where any key
    will do.

    `body_bytes` is the longest request body; `answer_seconds` the time from the request's first byte until the
    answer begins, and afterwards the longest pause within it.
    `lasting` is an answer that goes on for as long as the client listens: it does not count as in flight.
    `is_remembered` says whether a request with an idempotency key may be answered from memory; what deletes the memory
    with all else of the caller is not.
    `is_anonymous`: nothing by which a client could be known again is kept, neither its id of the request nor its trace.
    """

    method: str
    template: str
    service: Service | None
    scope: Scope | Literal["any"] | None
    body_bytes: int = JSON_BYTES
    answer_seconds: float = ANSWER_SECONDS
    dialect: Dialect = "antiphon"
    lasting: bool = False
    is_remembered: bool = True
    is_anonymous: bool = False


def _openai(method: str, template: str, scope: Scope, answer_seconds: float = ANSWER_SECONDS) -> Route:
    return Route(method, template, None, scope, answer_seconds=answer_seconds, dialect="openai")


OPENAI_ROUTES = (
    _openai("POST", "/openai/v1/audio/speech", Scope.SPEECH_WRITE, WAIT_SECONDS),
    _openai("POST", "/v1/audio/speech", Scope.SPEECH_WRITE, WAIT_SECONDS),
    _openai("GET", "/openai/v1/audio/voices", Scope.VOICES_READ),
    _openai("GET", "/v1/audio/voices", Scope.VOICES_READ),
    _openai("GET", "/openai/v1/models", Scope.SPEECH_READ),
    _openai("GET", "/openai/v1/models/{model}", Scope.SPEECH_READ),
    _openai("POST", "/openai/v1/embeddings", Scope.SEARCH_READ),
    _openai("POST", "/v1/embeddings", Scope.SEARCH_READ),
)
"""Under a prefix of their own, and at the root where none of ours has the same path."""

IDENTITY_ROUTES = (
    Route("GET", "/v1/keys", None, Scope.KEYS_READ),
    Route("POST", "/v1/keys", None, Scope.KEYS_WRITE),
    Route("GET", "/v1/keys/current", None, ANY_SCOPE),
    Route("GET", "/v1/keys/{key_id}", None, Scope.KEYS_READ),
    Route("PATCH", "/v1/keys/{key_id}", None, Scope.KEYS_WRITE),
    Route("DELETE", "/v1/keys/{key_id}", None, Scope.KEYS_WRITE),
    Route("POST", "/v1/keys/{key_id}/rotate", None, Scope.KEYS_WRITE),
    Route("POST", "/v1/organizations", None, Scope.ORGANIZATION_WRITE),
    Route("PUT", "/v1/organizations/{organization_id}/subscription", None, Scope.ORGANIZATION_WRITE),
    Route("GET", "/v1/organization", None, Scope.ORGANIZATION_READ),
    Route("PATCH", "/v1/organization", None, Scope.ORGANIZATION_WRITE),
    Route("GET", "/v1/members", None, Scope.ORGANIZATION_READ),
    Route("GET", "/v1/members/{user_id}", None, Scope.ORGANIZATION_READ),
    Route("PATCH", "/v1/members/{user_id}", None, Scope.ORGANIZATION_WRITE),
    Route("DELETE", "/v1/members/{user_id}", None, Scope.ORGANIZATION_WRITE),
    Route("POST", "/v1/members/{user_id}/erasure", None, Scope.ORGANIZATION_WRITE),
    Route("GET", "/v1/invitations", None, Scope.ORGANIZATION_WRITE),
    Route("POST", "/v1/invitations", None, Scope.ORGANIZATION_WRITE),
    Route("DELETE", "/v1/invitations/{invitation_id}", None, Scope.ORGANIZATION_WRITE),
    Route("POST", "/v1/invitations/accept", None, None),
    Route("POST", "/v1/invitations/join", None, ANY_SCOPE),
    Route("POST", "/v1/organization/erasure", None, Scope.ORGANIZATION_WRITE, is_remembered=False),
    Route("GET", "/v1/erasures/{erasure_id}", None, None),
    Route("POST", "/v1/organization/export", None, Scope.DATA_EXPORT),
    Route("POST", "/v1/members/{user_id}/export", None, Scope.DATA_EXPORT),
    Route("GET", "/v1/exports", None, Scope.DATA_EXPORT),
    Route("GET", "/v1/exports/{export_id}", None, Scope.DATA_EXPORT),
    Route("DELETE", "/v1/exports/{export_id}", None, Scope.DATA_EXPORT),
    Route("GET", "/v1/exports/{export_id}/download", None, Scope.DATA_EXPORT),
    Route("GET", "/v1/audit", None, Scope.AUDIT_READ),
    Route("GET", "/v1/audit/verification", None, Scope.AUDIT_READ),
)

OWN_ROUTES = (
    Route("GET", "/openapi.json", None, None),
    Route("GET", "/docs", None, None),
    Route("GET", "/v1/voices", "voice", Scope.VOICES_READ),
    Route("POST", "/v1/voices", "voice", Scope.VOICES_WRITE, body_bytes=VOICE_BYTES, answer_seconds=UPLOAD_SECONDS),
    Route("GET", "/v1/voices/categories", "voice", Scope.VOICES_READ),
    Route("GET", "/v1/voices/{voice_id}", "voice", Scope.VOICES_READ),
    Route("PATCH", "/v1/voices/{voice_id}", "voice", Scope.VOICES_WRITE),
    Route("DELETE", "/v1/voices/{voice_id}", "voice", Scope.VOICES_WRITE),
    Route("GET", "/v1/voices/{voice_id}/audio", "voice", Scope.VOICES_READ),
    Route("HEAD", "/v1/voices/{voice_id}/audio", "voice", Scope.VOICES_READ),
    Route("GET", "/v1/voices/{voice_id}/preview", "voice", Scope.VOICES_READ),
    Route("HEAD", "/v1/voices/{voice_id}/preview", "voice", Scope.VOICES_READ),
    Route("GET", "/v1/voices/{voice_id}/settings", "voice", Scope.VOICES_READ),
    Route("PUT", "/v1/voices/{voice_id}/settings", "voice", Scope.VOICES_WRITE),
    Route("GET", "/v1/voices/{voice_id}/samples", "voice", Scope.VOICES_READ),
    Route("DELETE", "/v1/voices/{voice_id}/samples/{sample_id}", "voice", Scope.VOICES_WRITE),
    Route("GET", "/v1/voices/{voice_id}/samples/{sample_id}/audio", "voice", Scope.VOICES_READ),
    Route("HEAD", "/v1/voices/{voice_id}/samples/{sample_id}/audio", "voice", Scope.VOICES_READ),
    Route("POST", "/v1/alignments", "voice", Scope.SPEECH_WRITE, body_bytes=VOICE_BYTES, answer_seconds=UPLOAD_SECONDS),
    Route("GET", "/v1/generations", "generation", Scope.SPEECH_READ),
    Route("POST", "/v1/generations", "generation", Scope.SPEECH_WRITE, BOOK_BYTES, WAIT_SECONDS),
    Route("POST", "/v1/generations/stream", "generation", Scope.SPEECH_WRITE, answer_seconds=WAIT_SECONDS),
    Route(
        "POST", "/v1/generations/stream/with-timestamps", "generation", Scope.SPEECH_WRITE, answer_seconds=WAIT_SECONDS
    ),
    Route("POST", "/v1/generations/download", "generation", Scope.SPEECH_READ),
    Route("GET", "/v1/generations/{generation_id}", "generation", Scope.SPEECH_READ),
    Route("POST", "/v1/generations/{generation_id}/cancel", "generation", Scope.SPEECH_WRITE),
    Route("POST", "/v1/generations/{generation_id}/retry", "generation", Scope.SPEECH_WRITE),
    Route("POST", "/v1/generations/{generation_id}/revise", "generation", Scope.SPEECH_WRITE, BOOK_BYTES, WAIT_SECONDS),
    Route("GET", "/v1/generations/{generation_id}/attempts", "generation", Scope.SPEECH_READ),
    Route(
        "GET",
        "/v1/generations/{generation_id}/audio/partial",
        "generation",
        Scope.SPEECH_READ,
        answer_seconds=WAIT_SECONDS,
    ),
    Route("DELETE", "/v1/generations/{generation_id}", "generation", Scope.SPEECH_WRITE),
    Route("GET", "/v1/generations/{generation_id}/audio", "generation", Scope.SPEECH_READ),
    Route("HEAD", "/v1/generations/{generation_id}/audio", "generation", Scope.SPEECH_READ),
    Route("GET", "/v1/generations/{generation_id}/alignment", "generation", Scope.SPEECH_READ),
    Route("GET", "/v1/tracks", "storage", Scope.SPEECH_READ),
    Route("GET", "/v1/tracks/{track_id}", "storage", Scope.SPEECH_READ),
    Route("GET", "/v1/tracks/{track_id}/audio", "storage", Scope.SPEECH_READ),
    Route("HEAD", "/v1/tracks/{track_id}/audio", "storage", Scope.SPEECH_READ),
    Route("GET", "/v1/tracks/{track_id}/alignment", "storage", Scope.SPEECH_READ),
    Route("GET", "/v1/tracks/{track_id}/url", "storage", Scope.SPEECH_READ),
    Route("POST", "/v1/uploads", "storage", Scope.MEDIA_WRITE),
    Route("GET", "/v1/uploads/{upload_id}", "storage", Scope.MEDIA_READ),
    Route("POST", "/v1/uploads/{upload_id}/urls", "storage", Scope.MEDIA_WRITE),
    Route("POST", "/v1/uploads/{upload_id}/complete", "storage", Scope.MEDIA_WRITE, answer_seconds=UPLOAD_SECONDS),
    Route("DELETE", "/v1/uploads/{upload_id}", "storage", Scope.MEDIA_WRITE),
    Route("GET", "/v1/media", "storage", Scope.MEDIA_READ),
    Route("GET", "/v1/media/{media_id}", "storage", Scope.MEDIA_READ),
    Route("DELETE", "/v1/media/{media_id}", "storage", Scope.MEDIA_WRITE),
    Route("GET", "/v1/media/{media_id}/content", "storage", Scope.MEDIA_READ),
    Route("HEAD", "/v1/media/{media_id}/content", "storage", Scope.MEDIA_READ),
    Route("GET", "/v1/media/{media_id}/url", "storage", Scope.MEDIA_READ),
    Route("GET", "/v1/dictionaries", "generation", Scope.SPEECH_READ),
    Route("POST", "/v1/dictionaries", "generation", Scope.SPEECH_WRITE),
    Route("GET", "/v1/dictionaries/{dictionary_id}", "generation", Scope.SPEECH_READ),
    Route("DELETE", "/v1/dictionaries/{dictionary_id}", "generation", Scope.SPEECH_WRITE),
    Route("POST", "/v1/dictionaries/{dictionary_id}/versions", "generation", Scope.SPEECH_WRITE),
    Route("GET", "/v1/models", "generation", Scope.SPEECH_READ),
    Route("GET", "/v1/events", None, Scope.EVENTS_READ, lasting=True),
    Route("GET", "/v1/webhooks", None, Scope.WEBHOOKS_READ),
    Route("POST", "/v1/webhooks", None, Scope.WEBHOOKS_WRITE),
    Route("GET", "/v1/webhooks/{webhook_id}", None, Scope.WEBHOOKS_READ),
    Route("PATCH", "/v1/webhooks/{webhook_id}", None, Scope.WEBHOOKS_WRITE),
    Route("DELETE", "/v1/webhooks/{webhook_id}", None, Scope.WEBHOOKS_WRITE),
    Route("POST", "/v1/webhooks/{webhook_id}/rotate-secret", None, Scope.WEBHOOKS_WRITE),
    Route("POST", "/v1/webhooks/{webhook_id}/test", None, Scope.WEBHOOKS_WRITE),
    Route("GET", "/v1/webhooks/{webhook_id}/deliveries", None, Scope.WEBHOOKS_READ),
    Route("POST", "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", None, Scope.WEBHOOKS_WRITE),
    Route("GET", "/v1/usage", "analytics", Scope.USAGE_READ),
    Route("GET", "/v1/subscription", "analytics", Scope.USAGE_READ),
    Route("POST", "/v1/analytics/events", None, Scope.ANALYTICS_WRITE, is_remembered=False, is_anonymous=True),
    Route("GET", "/v1/analytics/events/summary", None, Scope.ANALYTICS_READ),
    Route("GET", "/v1/analytics/funnels", None, Scope.ANALYTICS_READ),
    Route("GET", "/v1/usage/export", "analytics", Scope.USAGE_READ),
    Route("POST", "/v1/search", "embedding", Scope.SEARCH_READ),
    Route("POST", "/v1/search/context", "embedding", Scope.SEARCH_READ),
    Route("GET", "/v1/documents", "embedding", Scope.SEARCH_READ),
    Route("POST", "/v1/documents", "embedding", Scope.SEARCH_WRITE, DOCUMENT_BYTES, UPLOAD_SECONDS),
    Route("DELETE", "/v1/documents", "embedding", Scope.SEARCH_WRITE),
    Route("GET", "/v1/documents/{document_id}", "embedding", Scope.SEARCH_READ),
    Route("DELETE", "/v1/documents/{document_id}", "embedding", Scope.SEARCH_WRITE),
    *OPENAI_ROUTES,
    *IDENTITY_ROUTES,
)


def _elevenlabs(call: elevenlabs.Call, prefix: str) -> Route:
    return Route(
        call.method,
        prefix + call.path,
        None,
        call.scope,
        call.body_bytes,
        call.answer_seconds,
        "elevenlabs" if call.repeatable else "elevenlabs_once",
    )


def _shape(template: str) -> tuple[str, ...]:
    return tuple("{}" if segment.startswith("{") else segment for segment in template.split("/"))


_TAKEN = {(route.method, _shape(route.template)) for route in OWN_ROUTES}
ELEVENLABS_ROUTES = (
    *(_elevenlabs(call, elevenlabs.PREFIX) for call in elevenlabs.CALLS),
    *(_elevenlabs(call, "") for call in elevenlabs.CALLS if (call.method, _shape(call.path)) not in _TAKEN),
)
"""Under a prefix of their own, and at the root where none of ours has the same path."""

ROUTES = (*OWN_ROUTES, *ELEVENLABS_ROUTES)

WEBSOCKETS = tuple(_elevenlabs(elevenlabs.STREAM_INPUT, prefix) for prefix in (elevenlabs.PREFIX, ""))
"""What is opened as a WebSocket; beyond that the gateway has none."""
