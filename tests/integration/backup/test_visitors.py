"""Whoever visits the operator's sites is in no table, log, trace, metric, message or backup."""

from __future__ import annotations

import pytest

from tests.integration.backup.conftest import BackedUp
from tests.support.otlp import SpanReceiver
from tests.support.visits import look_everywhere, visit

VISITORS = 300


@pytest.mark.timeout(300)
async def test_nobody_who_visits_is_known_afterwards(backed_up: BackedUp, receiver: SpanReceiver) -> None:
    await backed_up.has_first()
    visits = await visit(backed_up.stack, VISITORS)
    await backed_up.covers(visits.ended)
    await look_everywhere(backed_up.stack, backed_up.vault, receiver, visits)
