"""What the gateway hears on the broker: what clients are told, what replicas tell each other, what was erased."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.antiphon.analytics.v1 import events_pb2 as analytics
from libs.contracts.antiphon.embedding.v1 import events_pb2 as embedding
from libs.contracts.antiphon.gateway.v1 import events_pb2 as gateway
from libs.contracts.antiphon.generation.v1 import events_pb2 as generation
from libs.contracts.antiphon.storage.v1 import events_pb2 as storage
from libs.contracts.antiphon.voice.v1 import events_pb2 as voice
from libs.messaging import Calls, Consumers, Follows, Heeds, Projection, Signals, projection
from libs.outbox.exporting import exports
from services.gateway.adapters.event_feed import FOLLOWED
from services.gateway.domain import signals
from services.gateway.domain.erasures import Report
from services.gateway.domain.exports import Files, Part
from services.gateway.domain.public_events import WEBHOOK_FORMS
from services.gateway.usecases import webhooks
from services.gateway.usecases.erasing import collect_report
from services.gateway.usecases.exporting import EXPORTED, collect_part
from services.gateway.usecases.subscriptions import learn_plans

Erased = (
    analytics.OrganizationErased
    | embedding.OrganizationErased
    | generation.OrganizationErased
    | storage.OrganizationErased
    | voice.OrganizationErased
)
DataExported = (
    analytics.DataExported
    | embedding.DataExported
    | gateway.DataExported
    | generation.DataExported
    | storage.DataExported
    | voice.DataExported
)
_EXPORTED: Mapping[str, type[DataExported]] = {
    "analytics": analytics.DataExported,
    "embedding": embedding.DataExported,
    "gateway": gateway.DataExported,
    "generation": generation.DataExported,
    "storage": storage.DataExported,
    "voice": voice.DataExported,
}

GATHER_SECONDS = 0.2
"""How much later than another event the next may be looked at: each request tells six, and few have a webhook."""


def _collects(service: str, event: type[Erased]) -> Projection:
    """Return what keeps a service's answers to being asked to erase an organisation."""

    @projection(event, gather_seconds=GATHER_SECONDS, of_erased=True)
    async def collect_reports(session: AsyncSession, events: Sequence[Erased]) -> None:
        for one in events:
            erased_at = one.erased_at.ToDatetime(tzinfo=UTC)
            report = Report(service, one.round, dict(one.counts), erased_at)
            await collect_report(session, UUID(one.org_id), UUID(one.erasure_id), report, cause=one)

    return collect_reports


def _gathers(service: str, event: type[DataExported]) -> Projection:
    """Return what keeps a service's answer to being asked to export what it has."""

    @projection(event, gather_seconds=GATHER_SECONDS)
    async def collect_parts(session: AsyncSession, events: Sequence[DataExported]) -> None:
        for one in events:
            part = Part(
                service=service,
                counts=dict(one.counts),
                object_key=one.object_key or None,
                sha256=one.sha256 or None,
                size_bytes=one.size_bytes,
                error=one.error or None,
                tries=one.tries,
                exported_at=one.exported_at.ToDatetime(tzinfo=UTC),
                files=Files(
                    one.files_key or None,
                    one.files,
                    one.files_bytes,
                    one.files_left_out,
                    one.files_left_out_bytes,
                ),
            )
            await collect_part(session, UUID(one.org_id), UUID(one.export_id), part, cause=one)

    return collect_parts


async def queue_deliveries(session: AsyncSession, events: Sequence[Message]) -> None:
    """Webhooks that want it are told."""
    await webhooks.queue_deliveries(session, events)


CONSUMERS = Consumers(
    "gateway",
    projections=(
        *(projection(message, gather_seconds=GATHER_SECONDS)(queue_deliveries) for message in WEBHOOK_FORMS),
        projection(analytics.SubscriptionChanged)(learn_plans),
        _collects("analytics", analytics.OrganizationErased),
        _collects("embedding", embedding.OrganizationErased),
        _collects("generation", generation.OrganizationErased),
        _collects("storage", storage.OrganizationErased),
        _collects("voice", voice.OrganizationErased),
        *(_gathers(service, event) for service, event in _EXPORTED.items()),
    ),
    works=(exports("gateway", gateway.DataExported, EXPORTED),),
    talks=(
        Calls("analytics", "change_subscription"),
        *(Follows(event) for event in FOLLOWED),
        *(Signals(topic) for topic in (signals.KEYS, signals.WEBHOOKS)),
        *(Heeds(topic) for topic in (signals.KEYS, signals.WEBHOOKS)),
    ),
)
