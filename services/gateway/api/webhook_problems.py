"""What clients are told about webhooks."""

from __future__ import annotations

from collections.abc import Mapping

from libs.web import Problem, ProblemOf, invalid_field
from services.gateway.domain import webhooks
from services.gateway.domain.addresses import UrlRefused
from services.gateway.domain.public_events import UnknownType

NO_WEBHOOK = Problem(
    404, "webhook_not_found", "There is no such webhook", "GET /v1/webhooks lists those that there are."
)
NO_DELIVERY = Problem(
    404,
    "delivery_not_found",
    "There is no such delivery",
    f"Deliveries are remembered for {webhooks.KEPT.days} days; GET /v1/webhooks/{{id}}/deliveries lists them.",
)
TOO_MANY = Problem(
    409,
    "too_many_webhooks",
    "The organisation has as many webhooks as it may have",
    f"At most {webhooks.MAX_WEBHOOKS} are told; delete one, or have one told more.",
    {"limit": webhooks.MAX_WEBHOOKS},
)
DISABLED = Problem(
    409,
    "webhook_disabled",
    "The webhook is disabled",
    'Nothing is sent to it; enable it with PATCH /v1/webhooks/{id} and {"status": "enabled"}.',
)
BAD_URL = invalid_field("url", "must begin with https://; only hosts that the installation allows are called without")

WEBHOOK_PROBLEMS: Mapping[type[Exception], ProblemOf] = {
    webhooks.WebhookNotFound: lambda _error: NO_WEBHOOK,
    webhooks.DeliveryNotFound: lambda _error: NO_DELIVERY,
    webhooks.TooManyWebhooks: lambda _error: TOO_MANY,
    webhooks.WebhookIsDisabled: lambda _error: DISABLED,
    UrlRefused: lambda error: invalid_field("url", str(error)),
    UnknownType: lambda error: invalid_field("events", str(error)),
}
