"""Telling whoever delivers to webhooks that something was queued, once that is durable."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Driver
from libs.messaging import Bus, signal
from services.gateway.domain import signals

_QUEUED = "webhooks.queued"


def note_queued(session: AsyncSession) -> None:
    """Say that the transaction of `session` queues something for webhooks."""
    session.info[_QUEUED] = True


class WebhookWakes:
    """A hook around transactions. A signal that is lost costs a second: then the queue is looked at anyway."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def before_commit(self, session: AsyncSession, driver: Driver) -> None:
        """Nothing is to be done before."""

    async def after_commit(self, session: AsyncSession) -> None:
        """Wake the replicas."""
        if session.info.pop(_QUEUED, False):
            await signal(self._bus, signals.WEBHOOKS)
