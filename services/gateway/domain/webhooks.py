"""Webhooks: whom to tell what, how it is signed, and what becomes of a delivery. After https://www.standardwebhooks.com."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal
from uuid import UUID

MAX_WEBHOOKS = 20
"""Of an organisation."""
MAX_PATTERNS = 50
MAX_DESCRIPTION = 500
SECRET_BYTES = 32
_SECRET_PREFIX = "whsec_"  # noqa: S105 - what every secret begins with
TEST_TYPE = "webhook.test"

DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 60, 300, 1_800, 2 * 3_600, 5 * 3_600, 10 * 3_600, 14 * 3_600, 16 * 3_600, 24 * 3_600)
)
"""Between the attempts: eleven within three days, 71 h 36 min in all."""
GIVE_UP_AFTER = timedelta(days=3)
DISABLE_AFTER = timedelta(days=3)
"""How long everything that an endpoint is told may fail before it is told nothing any more."""
ROTATION = timedelta(hours=24)
"""How long what is sent is signed with the old secret, too."""
KEPT = timedelta(days=30)
"""How long deliveries are remembered."""
FIRST_REST, LONGEST_REST = timedelta(seconds=5), timedelta(minutes=5)
"""How long an endpoint that fails is left alone: what waits for it costs others nothing."""

_REDIRECTED, _REFUSED, _GONE = 300, 400, 410

Status = Literal["enabled", "disabled"]
DisabledReason = Literal["requested", "failing", "gone"]


class DeliveryStatus(StrEnum):
    """What became of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class ErrorKind(StrEnum):
    """Why an attempt failed."""

    STATUS = "status"
    """It answered with something else than 2xx."""
    REDIRECT = "redirect"
    """It sent us elsewhere, which is not followed."""
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    """No such host, or nobody there."""
    TLS = "tls"
    """Its certificate is not valid, or it does not speak TLS."""
    ADDRESS_REFUSED = "address_refused"
    """Its name leads to an address that may not be called."""
    INVALID_ANSWER = "invalid_answer"
    """What it answered is no HTTP, or broke off."""


class WebhookNotFound(Exception):
    """Unknown, deleted, or another organisation's."""


class DeliveryNotFound(Exception):
    """Unknown, forgotten, or another webhook's."""


class TooManyWebhooks(Exception):
    """The organisation has as many as it may."""


class WebhookIsDisabled(Exception):
    """Nothing is sent to it."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Whom to tell: `events` are types and families; `failing_since` is set while nothing arrives."""

    id: UUID
    org_id: UUID
    url: str
    description: str
    events: Sequence[str]
    status: Status
    disabled_reason: DisabledReason | None
    failing_since: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Secrets:
    """With what is signed, as it is kept: the newest secret, and the one before it until `previous_until`."""

    current: bytes
    previous: bytes | None
    previous_until: datetime | None

    def valid_at(self, now: datetime) -> Sequence[bytes]:
        """Return those in use."""
        if self.previous is None or self.previous_until is None or now >= self.previous_until:
            return (self.current,)
        return (self.current, self.previous)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: the status that was answered, or the kind of error, and how long it took."""

    number: int
    at: datetime
    duration_ms: int
    status_code: int | None
    error: ErrorKind | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to a webhook; `id` is the `webhook-id` of all its attempts."""

    id: UUID
    webhook_id: UUID
    event_id: UUID
    event_type: str
    status: DeliveryStatus
    attempts: Sequence[Attempt]
    next_attempt_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to."""

    duration_ms: int
    status_code: int | None = None
    error: ErrorKind | None = None

    @property
    def is_success(self) -> bool:
        """Say whether the webhook has taken it."""
        return self.error is None

    @property
    def is_gone(self) -> bool:
        """Say whether the webhook wants nothing any more."""
        return self.status_code == _GONE


def shown_secret(secret: bytes) -> str:
    """Return a secret as clients keep it."""
    return _SECRET_PREFIX + base64.b64encode(secret).decode()


def signed_headers(webhook_id: str, at: datetime, body: bytes, secrets: Sequence[bytes]) -> dict[str, str]:
    """Return the headers by which the receiver knows that `body` is ours, and that it is not an old one."""
    timestamp = str(int(at.timestamp()))
    content = b".".join((webhook_id.encode(), timestamp.encode(), body))
    signatures = (base64.b64encode(hmac.digest(secret, content, "sha256")).decode() for secret in secrets)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def outcome_of_status(status_code: int, duration_ms: int) -> Outcome:
    """Return what an answer with this status means."""
    if status_code < _REDIRECTED:
        return Outcome(duration_ms, status_code)
    redirected = status_code < _REFUSED
    return Outcome(duration_ms, status_code, ErrorKind.REDIRECT if redirected else ErrorKind.STATUS)


def next_attempt(tried: int, queued_at: datetime, now: datetime, jitter: float) -> datetime | None:
    """Return when to try again after attempt number `tried` (from 1) failed; None when it is given up.

    `jitter` is a random number from 0 to 1: the delay is up to a tenth longer.
    """
    if tried > len(DELAYS) or now - queued_at >= GIVE_UP_AFTER:
        return None
    return now + DELAYS[tried - 1] * (1 + jitter / 10)


def rest_after(failing_since: datetime, now: datetime) -> datetime:
    """Return until when an endpoint that has failed again is left alone: as long as it has failed, within bounds."""
    return now + min(max(now - failing_since, FIRST_REST), LONGEST_REST)


def must_disable(failing_since: datetime, now: datetime) -> bool:
    """Say whether an endpoint has failed for too long."""
    return now - failing_since >= DISABLE_AFTER


def wants(patterns: Sequence[str], event_type: str) -> bool:
    """Say whether an event is named by types and families."""
    return any(one in ("*", event_type) or event_type.startswith(one.removesuffix(".*") + ".") for one in patterns)
