"""Requests without a key that clients' libraries repeat by themselves, at two gateways on one database."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import aiohttp
import pytest

from libs.database import Database
from libs.web.once import MADE_HEADER, RESOURCE_HEADER
from tests.integration.gateway.repeating import Gateways, Maker
from tests.integration.gateway.serving import Service, until


async def test_without_a_key_our_own_clients_mean_what_they_say_twice(gateways: Gateways, maker: Maker) -> None:
    await gateways.post()
    await gateways.post()
    assert maker.ids() == [None, None]


async def test_a_library_that_counts_its_retries_does_nothing_twice(facade: Gateways, maker: Maker) -> None:
    await facade.post(x_stainless_retry_count="0")
    await facade.post(x_stainless_retry_count="1", at=1)
    await facade.post(x_stainless_retry_count="2")
    assert len(maker.made) == 1
    # Said again it is another request, however soon.
    await facade.post(x_stainless_retry_count="0")
    assert len(maker.made) == 2
    # A retry that is heard first is the first.
    await facade.post(x_stainless_retry_count="1", body="other")
    assert len(maker.made) == 3


async def test_a_retry_joins_what_is_still_running(facade: Gateways, maker: Maker) -> None:
    for counts in (True, False):
        maker.goes_on.clear()
        first = asyncio.create_task(facade.post(x_stainless_retry_count="0") if counts else facade.post())
        await until(lambda: maker.waiting == 1)
        second = asyncio.create_task(facade.post(x_stainless_retry_count="1", at=1) if counts else facade.post(at=1))
        await until(lambda: maker.waiting == 2)
        maker.goes_on.set()
        assert (await first)[0] == (await second)[0] == 201
    assert len(maker.seen) == 4
    assert len(maker.made) == 2


async def test_what_was_answered_is_asked_for_anew(facade: Gateways, maker: Maker) -> None:
    await facade.post()
    await facade.post(at=1)
    assert len(maker.made) == 2


@pytest.mark.parametrize("trouble", ["left", "500", "broken off"])
async def test_what_was_cut_off_is_found_by_the_same_client(facade: Gateways, maker: Maker, trouble: str) -> None:
    if trouble == "left":
        maker.goes_on.clear()
        first = asyncio.create_task(facade.post())
        await until(lambda: maker.waiting == 1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        maker.goes_on.set()
    else:
        maker.status, maker.breaks_off = (500, False) if trouble == "500" else (201, True)
        await facade.post()
        maker.status, maker.breaks_off = 201, False
    await facade.post(at=1)
    assert maker.ids()[0] == maker.ids()[1]
    assert len(maker.made) == 1
    # Answered in full, it is over.
    await facade.post()
    assert len(maker.made) == 2


async def test_another_client_is_another_client(facade: Gateways, maker: Maker, database: Database) -> None:
    maker.status = 503
    await facade.post(User_Agent="a")
    await facade.post(User_Agent="b")
    await facade.post(User_Agent="a", body="other")
    assert len(set(maker.ids())) == 3


async def test_what_was_cut_off_is_forgotten_in_time(facade: Gateways, maker: Maker) -> None:
    maker.status = 503
    await facade.post()
    facade.ahead = timedelta(minutes=2, seconds=1)
    await facade.post()
    assert maker.ids()[0] != maker.ids()[1]


@pytest.mark.usefixtures("voice_running")
async def test_a_client_cannot_name_the_id(client: aiohttp.ClientSession, voice: Service) -> None:
    await client.post("/v1/voices", headers={RESOURCE_HEADER: str(uuid4()), MADE_HEADER: "true"})
    assert (voice.last.header(RESOURCE_HEADER), voice.last.header(MADE_HEADER)) == (None, None)
