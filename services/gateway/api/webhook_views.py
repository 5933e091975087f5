"""Webhooks and deliveries as clients see them."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from services.gateway.domain.webhooks import (
    Delivery,
    DeliveryStatus,
    DisabledReason,
    ErrorKind,
    Status,
    Webhook,
)


class WebhookView(BaseModel):
    """A webhook, without its secret."""

    id: str
    url: str
    events: list[str]
    description: str
    status: Status
    disabled_reason: DisabledReason | None = Field(
        description="`failing`: nothing arrived for three days; `gone`: it answered 410."
    )
    failing_since: datetime | None = Field(description="Since when nothing that it is told arrives.")
    created_at: datetime


class CreatedWebhookView(WebhookView):
    """A webhook that was made just now."""

    secret: str = Field(description="Signs what is sent; shown this once.")


class WebhookList(BaseModel):
    """All webhooks of the organisation."""

    items: list[WebhookView]


class SecretView(BaseModel):
    """A new secret."""

    secret: str = Field(description="Signs what is sent; shown this once.")
    previous_valid_until: datetime = Field(description="Until when the secret before it signs, too.")


class AttemptView(BaseModel):
    """One try to deliver. What the receiver answered is not kept."""

    number: int
    at: datetime
    duration_ms: int
    status_code: int | None
    error: ErrorKind | None


class DeliveryView(BaseModel):
    """What became of telling a webhook of an event."""

    id: str
    event_id: str = Field(description="The `webhook-id` of every attempt, and the `id` of the event.")
    event_type: str
    status: DeliveryStatus
    attempts: list[AttemptView]
    next_attempt_at: datetime | None
    created_at: datetime


class DeliveryList(BaseModel):
    """Some deliveries, newest first."""

    items: list[DeliveryView]
    next_cursor: str | None


def webhook_fields(webhook: Webhook) -> dict[str, object]:
    """Return what is shown of a webhook."""
    return {
        "id": str(webhook.id),
        "url": webhook.url,
        "events": list(webhook.events),
        "description": webhook.description,
        "status": webhook.status,
        "disabled_reason": webhook.disabled_reason,
        "failing_since": webhook.failing_since,
        "created_at": webhook.created_at,
    }


def webhook_view(webhook: Webhook) -> WebhookView:
    """Return a webhook as clients see it."""
    return WebhookView.model_validate(webhook_fields(webhook))


def delivery_view(delivery: Delivery) -> DeliveryView:
    """Return a delivery as clients see it."""
    return DeliveryView(
        id=str(delivery.id),
        event_id=str(delivery.event_id),
        event_type=delivery.event_type,
        status=delivery.status,
        attempts=[
            AttemptView(
                number=one.number,
                at=one.at,
                duration_ms=one.duration_ms,
                status_code=one.status_code,
                error=one.error,
            )
            for one in delivery.attempts
        ],
        next_attempt_at=delivery.next_attempt_at,
        created_at=delivery.created_at,
    )
