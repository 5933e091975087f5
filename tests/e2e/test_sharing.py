"""Equal requests have their audio in common: it is spoken once, billed once, and there until nobody has it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from tests.chaos.books import database, nothing_is_queued, sums_agree
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import Stack


@contextmanager
def nobody_speaks(stack: Stack) -> Iterator[None]:
    """The worker stands still while the block runs."""
    worker = stack.pid("worker")
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


async def ask(api: Api, text: str, voice_id: str, **fields: Any) -> str:
    answer = await api.post("/v1/generations", json={"text": text, "voice_id": voice_id, **fields})
    assert answer.status in (201, 202), answer.content
    return str(answer.json["id"])


async def billed(stack: Stack, generation_id: str) -> dict[str, int]:
    """What the ledger has of a generation, once it has something."""
    query = "select unit, quantity::int from usage_metrics where resource_id = $1"

    async def entries() -> dict[str, int]:
        async with database(stack, "analytics") as connection:
            return {row["unit"]: row["quantity"] for row in await connection.fetch(query, generation_id)}

    return await eventually(entries, what="the usage of a generation")


async def tracks(stack: Stack, *generation_ids: str) -> int:
    async with database(stack, "storage") as connection:
        query = "select count(*) from audio_tracks where generation_id = any($1::uuid[])"
        return int(await connection.fetchval(query, list(generation_ids)))


async def test_equal_requests_share_their_audio_until_the_last_one_is_deleted(stack: Stack, api: Api) -> None:
    voice = (await api.voices())[0]["id"]
    text = f"What everybody says, number {uuid4().hex[:8]}."
    with nobody_speaks(stack):
        first, second = await ask(api, text, voice), await ask(api, text, voice)
        alone = await ask(api, text, voice, cache=False)
    for generation_id in (first, second, alone):
        assert (await api.until_completed(generation_id, within=30))["status"] == "completed"
    later = await ask(api, text, voice)
    assert (await api.get(f"/v1/generations/{later}")).json["status"] == "completed"

    audio = [(await api.get(f"/v1/generations/{one}/audio")).content for one in (first, second, later)]
    assert len(set(audio)) == 1
    for payer in (first, alone):
        assert (await billed(stack, payer))["characters"] == len(text)
    for guest in (second, later):
        usage = await billed(stack, guest)
        assert (usage["characters"], usage["characters_cached"]) == (0, len(text))
    await sums_agree(stack)

    listed = [
        (await api.get("/v1/tracks", params={"generation_id": one})).json["items"] for one in (first, second, later)
    ]
    assert [[track["generation_id"] for track in items] for items in listed] == 3 * [[first]]
    # The first who asked for it goes first.
    for gone, left in ((first, second), (second, later)):
        assert (await api.delete(f"/v1/generations/{gone}")).status == 204
        assert (await api.get(f"/v1/generations/{gone}/audio")).status == 404
        assert (await api.get(f"/v1/generations/{left}/audio")).content == audio[0]
        assert (await api.get(f"/v1/generations/{left}/alignment")).status == 200
    assert await tracks(stack, first, alone) == 2
    assert (await api.delete(f"/v1/generations/{later}")).status == 204

    async def is_gone() -> bool:
        return await tracks(stack, first) == 0

    await eventually(is_gone, what="the end of audio that nobody has any more")
    assert await tracks(stack, alone) == 1


async def test_who_gives_up_leaves_the_bill_to_who_goes_on_waiting(stack: Stack, api: Api) -> None:
    voice = (await api.voices())[0]["id"]
    text = f"Two wanted to hear this, number {uuid4().hex[:8]}."
    with nobody_speaks(stack):
        first, second = await ask(api, text, voice), await ask(api, text, voice)
        canceled = await api.post(f"/v1/generations/{first}/cancel")
        assert (canceled.status, canceled.json["status"]) == (200, "canceled")
    assert (await api.until_completed(second, within=30))["status"] == "completed"
    assert (await billed(stack, second))["characters"] == len(text)
    # Whoever tries again finds it made, and paid for.
    again = await api.post(f"/v1/generations/{first}/retry")
    assert again.status in (200, 201, 202), again.content
    assert (await api.until_completed(first, within=30))["status"] == "completed"
    assert (await billed(stack, first))["characters"] == 0
    await nothing_is_queued(stack, within=10)


async def test_what_everybody_canceled_is_not_spoken_and_not_billed(stack: Stack, api: Api) -> None:
    voice = (await api.voices())[0]["id"]
    text = f"Nobody wanted to hear this, number {uuid4().hex[:8]}."
    with nobody_speaks(stack):
        both = await ask(api, text, voice), await ask(api, text, voice)
        for generation_id in both:
            assert (await api.post(f"/v1/generations/{generation_id}/cancel")).status == 200
        await nothing_is_queued(stack, within=10)
    async with database(stack, "analytics") as connection:
        query = "select count(*) from usage_metrics where resource_id = any($1::uuid[])"
        assert await connection.fetchval(query, list(both)) == 0
    assert await tracks(stack, *both) == 0
