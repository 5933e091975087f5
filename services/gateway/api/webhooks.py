"""The routes of webhooks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, Field
from starlette.status import HTTP_201_CREATED, HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT

from libs.web import PathId, as_id, told
from services.gateway.api import webhook_problems as problems
from services.gateway.api.fields import Body, PageQuery, storable
from services.gateway.api.parts import CredentialOf, DepsOf
from services.gateway.api.webhook_views import (
    CreatedWebhookView,
    DeliveryList,
    DeliveryView,
    SecretView,
    WebhookList,
    WebhookView,
    delivery_view,
    webhook_fields,
    webhook_view,
)
from services.gateway.domain.addresses import MAX_URL_LENGTH
from services.gateway.domain.webhooks import (
    MAX_DESCRIPTION,
    MAX_PATTERNS,
    DeliveryNotFound,
    DeliveryStatus,
    Status,
    WebhookNotFound,
)
from services.gateway.usecases.webhooks import Changes

router = APIRouter()

Url = Annotated[str, Field(min_length=1, max_length=MAX_URL_LENGTH, examples=["https://example.com/hooks/antiphon"])]
Pattern = Annotated[str, Field(min_length=1, max_length=100)]
Description = Annotated[str, Field(max_length=MAX_DESCRIPTION), AfterValidator(storable)]
Events = Annotated[
    list[Pattern],
    Field(
        max_length=MAX_PATTERNS,
        description="Types of events, or families such as `generation.*`; all without any.",
        examples=[["generation.*", "voice.ready"]],
    ),
]


class NewWebhook(Body):
    """A webhook to be made."""

    url: Url
    events: Events = Field(default_factory=list)
    description: Description = ""


class WebhookChanges(Body):
    """What of a webhook is changed; what is left out stays."""

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    status: Status | None = Field(None, description="`enabled` to go on after it was disabled, by whomever.")


class DeliveryQuery(PageQuery):
    """Which deliveries."""

    status: DeliveryStatus | None = Field(None, description="Only those of which this has become.")


@router.get("/v1/webhooks")
async def list_webhooks(credential: CredentialOf, deps: DepsOf) -> WebhookList:
    """List the organisation's webhooks, oldest first."""
    return WebhookList(items=[webhook_view(one) for one in await deps.webhooks.list(credential.org_id)])


@router.post("/v1/webhooks", status_code=HTTP_201_CREATED, responses=told(problems.TOO_MANY, problems.BAD_URL))
async def create_webhook(
    wanted: NewWebhook, credential: CredentialOf, deps: DepsOf, response: Response
) -> CreatedWebhookView:
    """Have a URL told what happens from now on; the secret by which it knows us is shown this once."""
    made, secret = await deps.webhooks.create(credential.org_id, wanted.url, wanted.events, wanted.description)
    response.headers["Cache-Control"] = "no-store"
    return CreatedWebhookView.model_validate({**webhook_fields(made), "secret": secret})


@router.get("/v1/webhooks/{webhook_id}", responses=told(problems.NO_WEBHOOK))
async def get_webhook(webhook_id: PathId, credential: CredentialOf, deps: DepsOf) -> WebhookView:
    """Return one webhook."""
    return webhook_view(await deps.webhooks.get(credential.org_id, as_id(webhook_id, WebhookNotFound)))


@router.patch("/v1/webhooks/{webhook_id}", responses=told(problems.NO_WEBHOOK, problems.BAD_URL))
async def change_webhook(
    webhook_id: PathId, changes: WebhookChanges, credential: CredentialOf, deps: DepsOf
) -> WebhookView:
    """Change a webhook, or enable it again; what waits for one that is disabled is given up."""
    wanted = Changes(changes.url, changes.description, changes.events, changes.status)
    return webhook_view(await deps.webhooks.change(credential.org_id, as_id(webhook_id, WebhookNotFound), wanted))


@router.delete("/v1/webhooks/{webhook_id}", status_code=HTTP_204_NO_CONTENT, responses=told(problems.NO_WEBHOOK))
async def delete_webhook(webhook_id: PathId, credential: CredentialOf, deps: DepsOf) -> None:
    """Delete a webhook and what is remembered of its deliveries."""
    await deps.webhooks.delete(credential.org_id, as_id(webhook_id, WebhookNotFound))


@router.post("/v1/webhooks/{webhook_id}/rotate-secret", responses=told(problems.NO_WEBHOOK))
async def rotate_webhook_secret(
    webhook_id: PathId, credential: CredentialOf, deps: DepsOf, response: Response
) -> SecretView:
    """Replace the secret; for a day what is sent carries the signatures of both."""
    secret, until = await deps.webhooks.rotate_secret(credential.org_id, as_id(webhook_id, WebhookNotFound))
    response.headers["Cache-Control"] = "no-store"
    return SecretView(secret=secret, previous_valid_until=until)


@router.post(
    "/v1/webhooks/{webhook_id}/test",
    status_code=HTTP_202_ACCEPTED,
    responses=told(problems.NO_WEBHOOK, problems.DISABLED),
)
async def test_webhook(webhook_id: PathId, credential: CredentialOf, deps: DepsOf) -> DeliveryView:
    """Send the webhook an event `webhook.test`, whatever it wants to be told."""
    return delivery_view(await deps.webhooks.test(credential.org_id, as_id(webhook_id, WebhookNotFound)))


@router.get("/v1/webhooks/{webhook_id}/deliveries", responses=told(problems.NO_WEBHOOK))
async def list_webhook_deliveries(
    webhook_id: PathId, credential: CredentialOf, deps: DepsOf, query: Annotated[DeliveryQuery, Query()]
) -> DeliveryList:
    """List what the webhook was told in the last 30 days, newest first, with every attempt."""
    page = await deps.webhooks.list_deliveries(
        credential.org_id,
        as_id(webhook_id, WebhookNotFound),
        status=query.status,
        cursor=query.cursor,
        limit=query.limit,
    )
    return DeliveryList(items=[delivery_view(one) for one in page.items], next_cursor=page.next_cursor)


@router.post(
    "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
    status_code=HTTP_202_ACCEPTED,
    responses=told(problems.NO_WEBHOOK, problems.NO_DELIVERY, problems.DISABLED),
)
async def redeliver(webhook_id: PathId, delivery_id: PathId, credential: CredentialOf, deps: DepsOf) -> DeliveryView:
    """Tell the webhook once more what it was told, with the same `webhook-id`."""
    webhook, delivery = as_id(webhook_id, WebhookNotFound), as_id(delivery_id, DeliveryNotFound)
    return delivery_view(await deps.webhooks.redeliver(credential.org_id, webhook, delivery))
