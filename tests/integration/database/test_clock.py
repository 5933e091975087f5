"""The database's time, in a process of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, tzinfo

import pytest
from sqlalchemy.engine import make_url

from libs.database import Database, DatabaseClock
from libs.database import clock as clock_module
from tests.support.servers import Servers

A_MOMENT = timedelta(seconds=2)
AHEAD = timedelta(hours=2)


class WrongClock(datetime):
    """A machine's clock that is two hours ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + AHEAD


@pytest.fixture
async def database(servers: Servers) -> AsyncIterator[Database]:
    url = str(make_url(servers.postgres_url).set(username="antiphon", database="postgres"))
    database = Database(url, servers.secret("postgres_admin"), application="clock")
    yield database
    await database.close()


async def test_it_is_the_databases_time_whatever_the_machine_says(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock_module, "datetime", WrongClock)
    clock = DatabaseClock(database)
    assert clock() - datetime.now(UTC) > AHEAD - A_MOMENT, "nobody was asked yet"
    assert await clock.look()
    assert abs(clock() - await database.now()) < A_MOMENT


async def test_it_goes_on_as_before_when_the_database_is_away(database: Database) -> None:
    absent = Database("postgresql://nobody@127.0.0.1:9/none", "", application="clock")
    clock = DatabaseClock(absent)
    assert not await clock.look()
    assert abs(clock() - await database.now()) < A_MOMENT, "the machine's own, which is right here"
    await absent.close()
