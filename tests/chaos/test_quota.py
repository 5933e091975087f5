"""More is asked for at once than the plan covers: what fits is spoken, to the character, and the rest is refused."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from tests.chaos.books import database, sums_agree
from tests.chaos.customers import new_customer, until_upgraded
from tests.chaos.processes import restarted
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import Stack, running_stack

TEXT = "Sentence no {:04}"
SIZE = len(TEXT.format(0))
PATIENCE = 180.0
MANY = "100000"
_THRESHOLDS = """
select count(*) from (select type_name, org_id from outbox union all select type_name, org_id from outbox_sent) as told
where type_name = 'antiphon.analytics.v1.QuotaThresholdReached' and org_id = $1
"""


def fitting(count: int) -> int:
    """How many of `count` requests the plan covers."""
    return count * 6 // 10


# What decides is tested on the analytics service alone, too (tests/integration/analytics/test_quotas.py).
pytestmark = pytest.mark.long


@pytest.fixture(params=[200, 1000], ids=["200", "1000"])
def count(request: pytest.FixtureRequest) -> int:
    chosen: int = request.param
    return chosen


@pytest.fixture
def stack(count: int) -> Iterator[Stack]:
    settings = {
        "ANTIPHON_ENGINE_PROCESSES": "2",
        # A few characters more than fit: nobody gets a part of a text.
        "ANTIPHON_PLAN_LIMITS": json.dumps({"pro": {"characters": fitting(count) * SIZE + SIZE // 2}}),
        "ANTIPHON_PRO_KEY_REQUESTS": MANY,
        "ANTIPHON_PRO_ORGANIZATION_REQUESTS": MANY,
        "ANTIPHON_PRO_CONCURRENT_REQUESTS": "2000",
        "ANTIPHON_QUEUE_INTERACTIVE_SECONDS": "900",
    }
    with running_stack(settings) as running:
        yield running


@dataclass
class Asked:
    """What became of requests."""

    accepted: list[str] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)  # Any: JSON
    most_used: int = 0

    @property
    def decided(self) -> int:
        """How many have an answer."""
        return len(self.accepted) + len(self.refused)


async def ask_all(api: Api, voice_id: str, count: int, asked: Asked) -> None:
    """Ask for everything at once; a request that got no answer is repeated when it is told to, and is the same one."""

    async def ask(number: int) -> None:
        body = {"text": TEXT.format(number), "voice_id": voice_id}
        for _ in range(60):
            answer = await api.post("/v1/generations", json=body, headers={"Idempotency-Key": f"text-{number}"})
            if answer.status in (429, 503):
                await asyncio.sleep(float(answer.headers["Retry-After"]))
                continue
            if answer.status == 402:
                asked.refused.append(answer.json)
            else:
                assert answer.status in (201, 202), answer.content
                asked.accepted.append(answer.json["id"])
            return
        raise AssertionError(f"no answer to {number}")

    await asyncio.gather(*(ask(number) for number in range(count)))


async def watch(api: Api, asked: Asked) -> None:
    """Look at what is used and set aside, until cancelled."""
    while True:
        answer = await api.get("/v1/subscription")
        if answer.status == 200:
            one = next(one for one in answer.json["quotas"] if one["quota"] == "characters")
            asked.most_used = max(asked.most_used, one["used"] + one["reserved"])
        await asyncio.sleep(0.1)


async def kill_analytics(stack: Stack, asked: Asked, count: int, times: int) -> None:
    """Kill the service in the middle of `count` decisions, again and again."""
    for time in range(times):

        async def are_decided(enough: int = count * (time + 1) // (times + 1)) -> bool:
            return asked.decided >= enough

        await eventually(are_decided, within=PATIENCE, what="more decisions")
        await restarted(stack, "analytics", signal.SIGKILL)


@pytest.mark.timeout(420)
@pytest.mark.parametrize("kills", [0, 3], ids=["undisturbed", "killed"])
async def test_exactly_what_fits_is_spoken(stack: Stack, count: int, kills: int) -> None:
    limit = fitting(count) * SIZE + SIZE // 2
    async with Api(stack.url, stack.api_key) as operator:
        org_id, key = await new_customer(operator)
        async with Api(stack.url, key) as api:
            await until_upgraded(api)
            voice_id = (await api.voices())[0]["id"]
            asked = Asked()
            watching = asyncio.create_task(watch(api, asked))
            await asyncio.gather(ask_all(api, voice_id, count, asked), kill_analytics(stack, asked, count, kills))
            ends = await _ends(stack, asked.accepted)
            watching.cancel()
            assert asked.decided == count
            # Accepted while the quota could not be asked, by a service that was dead or busy, and refused since.
            late = [why for status, code, why in ends.values() if status == "failed" and code == "quota_exceeded"]
            completed = [one for one, (status, *_) in ends.items() if status == "completed"]
            assert len(completed) + len(late) == len(ends), Counter(ends.values())
            assert len(completed) == fitting(count)
            assert all(f"of {limit} are left until" in (why or "") for why in late), late[:1]
            for refusal in asked.refused:
                assert (refusal["code"], refusal["quota"], refusal["limit"]) == ("quota_exceeded", "characters", limit)
                assert refusal["remaining"] < SIZE
                assert refusal["resets_at"]
            assert asked.most_used <= limit
            await _books_agree(stack, api, org_id, completed)
    await _sums_are_repaired(stack)


async def _ends(stack: Stack, ids: list[str]) -> dict[str, tuple[str, str | None, str | None]]:
    async with database(stack, "generation") as connection:
        query = "select id::text, status, error_code, error from generations where id = any($1::uuid[])"

        async def all_ended() -> bool:
            rows = await connection.fetch(query, ids)
            return len(rows) == len(ids) and {row["status"] for row in rows} <= {"completed", "failed"}

        await eventually(all_ended, within=PATIENCE, what=f"the end of {len(ids)} generations")
        return {
            row["id"]: (row["status"], row["error_code"], row["error"]) for row in await connection.fetch(query, ids)
        }


async def _books_agree(stack: Stack, api: Api, org_id: str, completed: list[str]) -> None:
    """Usage by the API is the sum of the ledger, and that of the generations; thresholds were told once."""
    total = len(completed) * SIZE

    async def told() -> dict[str, Any]:
        quotas = (await api.get("/v1/subscription")).json["quotas"]
        return next(one for one in quotas if one["quota"] == "characters")

    async def is_settled() -> bool:
        one = await told()
        return bool(one["used"] == total and one["reserved"] == 0)

    await eventually(is_settled, within=60, what="the settlement of everything")
    assert (await told())["remaining"] == SIZE // 2
    assert (await api.get("/v1/usage")).json["period"]["characters_used"] == total
    await sums_agree(stack)
    async with database(stack, "analytics") as connection:
        rows = await connection.fetch(
            "select resource_id::text as id, quantity from usage_metrics where org_id = $1 and unit = 'characters'",
            UUID(org_id),
        )
        assert sorted(row["id"] for row in rows) == sorted(completed)
        assert sum(row["quantity"] for row in rows) == total
        kinds = await connection.fetch(
            "select unit, percent, count(*) from quota_thresholds where org_id = $1 group by 1, 2", UUID(org_id)
        )
        assert [tuple(row) for row in kinds] == [("characters", 80, 1)]
        assert await connection.fetchval(_THRESHOLDS, UUID(org_id)) == 1
    async with database(stack, "generation") as connection:
        spoken = await connection.fetchval(
            "select sum(characters_spoken) from generations where id = any($1::uuid[])", completed
        )
        assert spoken == total


async def _sums_are_repaired(stack: Stack) -> None:
    """The operator's command finds nothing wrong, then what is made wrong, and puts it right."""
    assert "all sums are what the ledger says" in stack.run("usage", "verify").stdout
    async with database(stack, "analytics") as connection:
        await connection.execute("update usage_totals set quantity = quantity + 7 where unit = 'characters'")
    found = stack.run("usage", "verify", check=False)
    assert found.returncode == 1
    assert "sums differ" in found.stdout
    assert "all sums are what the ledger says" in stack.run("usage", "verify", "--repair").stdout
    await sums_agree(stack)
