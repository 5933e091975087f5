"""What was there before it was metered: found by looking at what there is, and counted from then on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from libs.ids import new_id
from tests.chaos.books import database
from tests.chaos.customers import new_customer, until_upgraded
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import Stack
from tests.support.uploads import uploaded

_LEVELS = "select unit, quantity from levels where org_id = $1"
_HOLDINGS = "select unit, id, quantity from holdings where id = any($1::uuid[]) and quantity > 0"


async def levels(stack: Stack, org_id: UUID) -> dict[str, int]:
    """What the organisation is known to have."""
    async with database(stack, "analytics") as connection:
        return {row["unit"]: row["quantity"] for row in await connection.fetch(_LEVELS, org_id)}


async def org_of(stack: Stack, generation_id: str) -> UUID:
    async with database(stack, "generation") as connection:
        org_id = await connection.fetchval("select org_id from generations where id = $1::uuid", generation_id)
    assert isinstance(org_id, UUID)
    return org_id


@pytest.fixture
async def api(stack: Stack) -> AsyncIterator[Api]:
    """A client of an organisation of its own: what others still have is counted while they are at it."""
    async with Api(stack.url, stack.api_key) as operator:
        _, key = await new_customer(operator)
    async with Api(stack.url, key) as client:
        await until_upgraded(client)
        yield client


async def test_what_came_before_it_was_metered_is_counted_as_it_is(stack: Stack, api: Api) -> None:
    spoken = await api.speak(f"Before anybody counted, {uuid4().hex}.", (await api.voices())[0]["id"])
    media = await uploaded(
        api, f"Tulips {uuid4().hex}".encode(), purpose="document", filename="a.txt", content_type="text/plain"
    )
    voice = (await api.upload_voice(f"Held {uuid4().hex[:8]}")).json
    org_id, ids = await org_of(stack, spoken["id"]), [spoken["id"], media["id"], voice["id"]]

    async def counted() -> dict[tuple[str, str], int] | None:
        async with database(stack, "analytics") as connection:
            rows = await connection.fetch(_HOLDINGS, ids)
        return {(row["unit"], str(row["id"])): row["quantity"] for row in rows} if len(rows) == 4 else None

    before = await eventually(counted, within=30, what="audio, file, recording and voice to be counted")
    assert before is not None
    has = await levels(stack, org_id)
    # As it is after an upgrade: nothing of it was told, and something is counted that was deleted before that was.
    gone = new_id(datetime.now(UTC) - timedelta(days=90))
    async with database(stack, "analytics") as connection:
        await connection.execute("delete from holdings where id = any($1::uuid[])", ids)
        await connection.execute(
            "insert into holdings (unit, id, org_id, quantity, revision) values ('stored_bytes', $1, $2, 1000, 1)",
            gone,
            org_id,
        )
        await connection.execute(
            "update levels l set quantity = coalesce((select sum(quantity) from holdings h"
            " where (h.org_id, h.unit) = (l.org_id, l.unit)), 0) where org_id = $1",
            org_id,
        )
    found = stack.run("usage", "holdings", check=False)
    assert found.returncode == 1, found.stderr
    for (unit, thing), quantity in before.items():
        assert f"{unit} of {org_id}: {thing} counts nothing, is {quantity}" in found.stdout
    assert f"stored_bytes of {org_id}: {gone} counts 1000, is 0" in found.stdout
    assert await counted() is None, "without --repair nothing changes"

    repaired = stack.run("usage", "holdings", "--repair")
    assert "all that there is is counted as it is" in repaired.stdout
    assert await counted() == before
    assert await levels(stack, org_id) == has
    quotas = {one["quota"]: one["used"] for one in (await api.get("/v1/subscription")).json["quotas"]}
    assert {name: int(quotas[name]) for name in has} == has
    assert "all sums are what the ledger says" in stack.run("usage", "verify").stdout
    # Told at last, it counts no second time, and goes with the thing.
    assert (await api.delete(f"/v1/media/{media['id']}")).status == 204
    assert (await api.delete(f"/v1/voices/{voice['id']}")).status == 204

    async def given_back() -> bool:
        now = await levels(stack, org_id)
        sizes = before["stored_bytes", media["id"]] + before["stored_bytes", voice["id"]]
        voices = has["custom_voices"] - now["custom_voices"]
        return (has["stored_bytes"] - now["stored_bytes"], voices) == (sizes, 1)

    await eventually(given_back, within=30, what="what was deleted to be given back")
