"""The gateway's consumers."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.gateway.consumers import CONSUMERS as GATEWAY
from tests.integration.shuffled.histories import History
from tests.integration.shuffled.lives import BEGINNING
from tests.integration.shuffled.stage import Emitted, Party, Stage


async def _nothing(_stage: Stage, _history: History | None = None) -> None:
    """Nothing is needed."""


async def _webhooks(stage: Stage, history: History) -> None:
    """Each organisation has one webhook that wants everything."""
    async with stage.admin() as connection:
        await connection.executemany(
            "insert into organizations (id, name, plan, created_at) values ($1, 'Someone', 'pro', $2)",
            [(org_id, BEGINNING) for org_id in history.orgs],
        )
        await connection.executemany(
            "insert into webhooks (id, org_id, url, description, events, secret, status, created_at)"
            " values ($1, $2, 'https://example.com/', '', '{}', sha256('secret'), 'enabled', $3)",
            [(UUID(int=number + 1), org_id, BEGINNING) for number, org_id in enumerate(history.orgs)],
        )


def _silent(_history: History, emitted: Sequence[Emitted]) -> list[str]:
    """Nothing is told of what is queued."""
    return [one.fields() for one in emitted]


GATEWAY_PARTY = Party(
    GATEWAY,
    "gateway",
    "gateway",
    _webhooks,
    _nothing,
    _silent,
    hidden={"webhook_deliveries": frozenset({"queued_at"})},
    instead={
        "webhook_queue": "select org_id from webhook_queue",
        # A plan that was overtaken by a newer one is never learnt, and nobody's keys are looked up anew for it.
        "key_changes": "select distinct org_id from key_changes",
    },
)
