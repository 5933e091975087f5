"""Visitors' events through the gateway to the analytics service's own tables: nothing of anybody gets there."""

from __future__ import annotations

import asyncio
import logging
import mmap
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from sqlalchemy import text

from libs.apikeys import new_api_key
from libs.database import Database
from libs.ids import new_id
from libs.messaging import Bus
from libs.web import IdentityVerifier, create_app
from services.analytics.api import PROBLEMS, router
from services.analytics.domain import Plan
from services.analytics.usecases import Deps
from services.gateway.domain.access import Scope
from services.gateway.domain.credentials import digest_of, shown_prefix
from services.gateway.domain.keys import ApiKey
from services.gateway.domain.organizations import FIRST_ORGANIZATION_ID
from services.gateway.domain.visitors import Visitors
from services.gateway.store import organizations as store
from tests.integration.gateway.conftest import IDENTITY_KEYS, Tenant, running_gateway
from tests.support.http import serving
from tests.support.polling import eventually
from tests.support.servers import Servers

BROWSER = "Zaunkoenig/7.3 (X11; nobody in particular)"
EVENT = {"name": "visited", "properties": {"page": "pricing"}}


@dataclass
class Site:
    """A page that tells of its visitors, and the operator who looks at it."""

    url: str
    session: aiohttp.ClientSession
    key: str
    analytics: Database
    long_ago: date
    """A day of which no other test tells anything, not even one before midnight."""

    async def tell(self, *events: Any, key: str | None = None, **headers: str) -> tuple[int, Any]:  # Any: JSON
        sent = {"authorization": f"Bearer {key or self.key}", "user-agent": BROWSER}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        body = {"events": list(events) or [EVENT]}
        async with self.session.post(f"{self.url}/v1/analytics/events", json=body, headers=sent) as answer:
            return answer.status, await answer.json(content_type=None)

    async def get(self, path: str, key: str | None = None, **params: str) -> tuple[int, Any]:  # Any: JSON
        headers = {"authorization": f"Bearer {key or self.key}"}
        url = f"{self.url}/v1/analytics/{path}"
        async with self.session.get(url, params=params, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def count(self) -> int:
        async with self.analytics.transaction() as session:
            return int((await session.execute(text("select count(*) from analytics_events"))).scalar_one())

    async def rows_with(self, wanted: str) -> list[str]:
        """The tables of visitors in which this stands anywhere."""
        found = []
        async with self.analytics.transaction() as session:
            for table in ("analytics_events", "funnel_snapshots"):
                query = text(f"select count(*) from {table} where strpos({table}::text, :wanted) > 0")  # noqa: S608
                if (await session.execute(query, {"wanted": wanted})).scalar_one():
                    found.append(table)
        return found


async def new_key(database: Database, scopes: frozenset[Scope]) -> str:
    """A key of the operator's organisation."""
    now, key = datetime.now(UTC), new_api_key()
    async with database.transaction(FIRST_ORGANIZATION_ID) as session:
        await session.execute(
            text(
                "insert into organizations (id, name, plan, created_at, updated_at) "
                "values (:id, 'Operator', 'enterprise', :now, :now) on conflict do nothing"
            ),
            {"id": FIRST_ORGANIZATION_ID, "now": now},
        )
        row = ApiKey(new_id(), FIRST_ORGANIZATION_ID, "Site", shown_prefix(key), digest_of(key), now)
        await store.insert_key(session, replace(row, scopes=scopes))
    return key


@pytest.fixture(scope="module", autouse=True)
def _schema(migrated: Callable[[str], None]) -> None:
    migrated("analytics")


@pytest.fixture
async def site(servers: Servers, database: Database, bus: Bus) -> AsyncIterator[Site]:
    analytics = servers.database("analytics")
    deps = Deps(
        database=analytics,
        objects=servers.object_store(),
        default_plan=Plan.ENTERPRISE,
        clock=lambda: datetime.now(UTC),
    )

    async def ready() -> dict[str, bool]:
        return {}

    identity = IdentityVerifier("analytics", IDENTITY_KEYS["analytics"])
    app = create_app("analytics", router, identity=identity, problems=PROBLEMS, readiness=ready, deps=deps)
    key = await new_key(database, frozenset((Scope.ANALYTICS_WRITE, Scope.ANALYTICS_READ)))
    async with (
        serving(app) as url,
        running_gateway(database, bus, {"analytics": url}) as gateway,
        aiohttp.ClientSession() as session,
    ):
        yield Site(gateway, session, key, analytics, datetime.now(UTC).date() - timedelta(days=9))
    await deps.objects.close()
    await analytics.close()


async def test_an_event_is_kept_without_whoever_did_it(
    site: Site, servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    before = await site.count()
    with caplog.at_level(logging.DEBUG):
        alone = {"name": "seen_by_this_test"}
        assert await site.tell(alone, EVENT) == (204, None)
        assert (await site.tell(alone))[0] == 204
    assert await site.count() == before + 3
    async with site.analytics.transaction() as session:
        query = "select count(distinct visitor) from analytics_events where name = 'seen_by_this_test'"
        assert (await session.execute(text(query))).scalar_one() == 1
    for wanted in ("127.0.0.1", "Zaunkoenig", str(FIRST_ORGANIZATION_ID), site.key):
        assert await site.rows_with(wanted) == []
    for written in caplog.records:
        assert "Zaunkoenig" not in str(written.__dict__)
    for log in servers.home.rglob("*.log"):
        assert "Zaunkoenig" not in log.read_text(errors="replace")


VISITORS = 500


async def test_nothing_on_the_disk_says_who_the_visitors_were(
    site: Site, servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    """Tables, logs of changes, logs and streams: all that a backup could ever be made of."""
    before = await site.count()
    with caplog.at_level(logging.DEBUG):
        for begin in range(0, VISITORS, 100):
            tellings = (site.tell(user_agent=f"Rohrdommel/{number}") for number in range(begin, begin + 100))
            assert {status for status, _ in await asyncio.gather(*tellings)} == {204}
    assert await site.count() == before + VISITORS
    today = datetime.now(UTC).date()
    token = Visitors(IDENTITY_KEYS["analytics"]).token("127.0.0.1", "Rohrdommel/77", today)
    owner = Database(
        servers.url("owner", "analytics"), servers.service_database("analytics").owner_password, application="test"
    )
    async with owner.transaction() as session:
        salt = (await session.execute(text("select salt from analytics_salts"))).scalar_one()
        (table,) = (await session.execute(text("select pg_relation_filepath('analytics_salts')"))).one()
    await owner.close()
    async with site.analytics.transaction() as session:
        kept = (await session.execute(text("select visitor from analytics_events limit 1"))).scalar_one()
    assert files_with(servers.home, bytes(kept)), "what is kept is found, or this looks in the wrong place"
    for needle in (b"Rohrdommel", token, token.hex().encode()):
        assert files_with(servers.home, needle) == []
    # The salt is in its own table at most, and in nothing that is copied.
    assert [path for path in files_with(servers.home, bytes(salt)) if not str(path).endswith(table)] == []
    assert "Rohrdommel" not in "".join(str(record.__dict__) for record in caplog.records)


def files_with(home: Path, needle: bytes) -> list[Path]:
    """The files of all servers in which these bytes stand."""
    found = []
    for path in home.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                if content.find(needle) >= 0:
                    found.append(path)
    return found


async def test_a_page_gives_neither_the_request_nor_the_trace_an_id(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    theirs = {"X-Request-Id": "visitor-4711", "traceparent": f"00-{'4711' * 8}-{'47' * 8}-01", "tracestate": "s=v4711"}
    sent = theirs | {"Authorization": f"Bearer {site.key}"}
    url = f"{site.url}/v1/analytics/events"
    with caplog.at_level(logging.DEBUG):
        for events in ([EVENT], []):
            async with site.session.post(url, json={"events": events}, headers=sent) as answer:
                told = answer.headers["X-Request-Id"] + await answer.text()
                assert "4711" not in told

        async def is_logged() -> bool:
            return sum(record.getMessage() == "request" for record in caplog.records) == 2

        await eventually(is_logged, what="a line for each")
    assert "4711" not in "".join(str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("header", [{"DNT": "1"}, {"Sec_GPC": "1"}])
async def test_of_a_browser_that_asks_not_to_be_tracked_nothing_is_kept(site: Site, header: dict[str, str]) -> None:
    before = await site.count()
    assert await site.tell(**header) == (204, None)
    assert await site.count() == before
    assert (await site.tell(DNT="0"))[0] == 204
    assert await site.count() == before + 1


async def test_only_the_operators_keys_tell_and_ask(site: Site, database: Database, tenant: Tenant) -> None:
    published = await new_key(database, frozenset((Scope.ANALYTICS_WRITE,)))
    assert (await site.tell(key=published))[0] == 204
    for path in ("events/summary", "funnels"):
        assert (await site.get(path))[0] == 200
        assert (await site.get(path, key=published))[1]["code"] == "scope_missing"
        assert (await site.get(path, key=tenant.key))[1]["code"] == "not_operator"
    assert (await site.tell(key=tenant.key))[1]["code"] == "not_operator"


async def test_answers_have_a_shape(site: Site) -> None:
    async with site.analytics.transaction() as session:
        hour = datetime.combine(site.long_ago, time(7), tzinfo=UTC)
        for number in range(8):
            await session.execute(
                text("insert into analytics_events (hour, name, visitor) values (:hour, 'visited', :visitor)"),
                {"hour": hour, "visitor": UUID(int=number).bytes},
            )
    day = site.long_ago.isoformat()
    status, answer = await site.get("events/summary", **{"from": day, "to": day})
    assert status == 200
    item = {"date": day, "group": "visited", "is_other": False, "events": 8, "visitors": 8}
    assert answer == {"items": [item], "totals": {"events": 8}, "k": 5}
    _, funnels = await site.get("funnels", **{"from": day, "to": day})
    assert set(funnels) == {"items", "totals", "k"}
    for params, field in (({"from": "x"}, "from"), ({"from": "2020-01-01"}, "from"), ({"name": "A"}, "name")):
        status, answer = await site.get("events/summary", **params)
        assert (status, answer["errors"][0]["field"]) == (422, field)
