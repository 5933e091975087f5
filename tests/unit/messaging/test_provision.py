"""Streams on a cluster that has just started."""

from __future__ import annotations

from typing import cast

import pytest
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from nats.js.errors import BadRequestError

from libs.messaging.provision import Change, apply

STREAM = Change("create", "stream", "EVENTS", {}, StreamConfig(name="EVENTS"))


class Young:
    """A cluster whose servers know of each other after `deaf` questions; until then it answers with `code`."""

    def __init__(self, deaf: int, code: int) -> None:
        self.asked = 0
        self._deaf, self._code = deaf, code

    async def add_stream(self, _wanted: StreamConfig) -> None:
        self.asked += 1
        if self.asked <= self._deaf:
            raise BadRequestError(code=400, err_code=self._code, description="no suitable peers for placement")


async def test_a_cluster_is_given_time_to_know_its_servers() -> None:
    cluster = Young(2, 10005)
    await apply(cast("JetStreamContext", cluster), [STREAM])
    assert cluster.asked == 3


async def test_nothing_else_is_tried_again() -> None:
    cluster = Young(1, 10052)
    with pytest.raises(BadRequestError):
        await apply(cast("JetStreamContext", cluster), [STREAM])
    assert cluster.asked == 1
