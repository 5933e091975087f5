# ruff: noqa: S608 - the tables' names are written here
"""What the database itself holds: tenants apart, alignments that fit, and a history that goes both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from libs.database import Database, migrate
from libs.ids import new_id
from services.storage import usecases
from services.storage.usecases import Deps
from tests.integration.storage.conftest import Studio, delivery, kept
from tests.support.schemas import objects_of
from tests.support.servers import Servers

TABLES = ("audio_tracks", "audio_alignments", "deleted_generations")


@pytest.mark.parametrize("table", TABLES)
async def test_another_organisation_sees_and_changes_nothing(
    deps: Deps, studio: Studio, database: Database, table: str
) -> None:
    await kept(deps, studio, b"mine")
    await usecases.remove_audio(deps, delivery(studio.deletion(await kept(deps, studio, b"gone"))))
    async with database.transaction(studio.org_id) as session:
        assert (await session.execute(text(f"select count(*) from {table}"))).scalar_one() == 1
    for others in ((new_id(),), ()):
        async with database.transaction(*others) as session:
            assert (await session.execute(text(f"select count(*) from {table}"))).scalar_one() == 0
            for change in (f"update {table} set org_id = org_id", f"delete from {table}"):
                assert (await session.execute(text(change))).rowcount == 0  # type: ignore[attr-defined]
    with pytest.raises(DBAPIError, match="row-level security"):
        async with database.transaction(studio.org_id) as session:
            await session.execute(text(f"update {table} set org_id = :other"), {"other": new_id()})


CHANGES = {
    "alignment_lengths": "update audio_alignments set characters = characters || 'x'::text",
    "alignment_complete": "update audio_alignments set start_times[2] = null",
    "alignment_ends": "update audio_alignments set end_times[2] = start_times[2] - 0.01",
    "alignment_starts": "update audio_alignments set start_times[1] = 0.15, end_times[1] = 0.2",
    "alignment_duration": "update audio_alignments set end_times[1] = 100",
    "foreign key": "update audio_alignments set duration_seconds = 100",
    "track_duration": "update audio_tracks set duration_seconds = 0",
    # The alignment follows its track's duration, and is held against it.
    "alignment_duration ": "update audio_tracks set duration_seconds = 0.01",
}


@pytest.mark.parametrize("constraint", CHANGES)
async def test_no_update_gets_past_the_constraints(
    deps: Deps, studio: Studio, database: Database, constraint: str
) -> None:
    await kept(deps, studio, b"sound")
    with pytest.raises(IntegrityError, match=constraint.strip()):
        async with database.transaction(studio.org_id) as session:
            await session.execute(text(CHANGES[constraint]))


async def test_alignments_go_with_their_track(deps: Deps, studio: Studio, database: Database) -> None:
    await kept(deps, studio, b"sound")
    async with database.transaction(studio.org_id) as session:
        await session.execute(text("delete from audio_tracks"))
        assert (await session.execute(text("select count(*) from audio_alignments"))).scalar_one() == 0


async def test_going_back_takes_along_what_the_schema_before_cannot_hold(
    servers: Servers, deps: Deps, studio: Studio, database: Database
) -> None:
    stays = await kept(deps, studio, b"as before")
    telephone = await studio.upload(b"telephone")
    telephone.content_type = "audio/PCMU;rate=16000"
    for event in (telephone, await studio.upload_long(b"long")):
        await usecases.keep_audio(deps, delivery(event))
    wanted = servers.service_database("storage")
    url = servers.url("owner", "storage")
    await asyncio.to_thread(migrate.downgrade, "storage", url, wanted.owner_password, "0002")
    async with database.transaction(studio.org_id) as session:
        left = (await session.execute(text("select generation_id::text from audio_tracks"))).scalars().all()
    await asyncio.to_thread(migrate.upgrade, "storage", url, wanted.owner_password)
    assert left == [stays.generation_id]
    async with database.transaction(new_id()) as session:
        assert (await session.execute(text("select count(*) from audio_tracks"))).scalar_one() == 0


async def test_migrations_go_up_down_and_up(servers: Servers, migrated: Callable[[str], None]) -> None:
    await asyncio.to_thread(migrated, "storage")
    wanted = servers.service_database("storage")
    url = servers.url("owner", "storage")
    await asyncio.to_thread(migrate.downgrade, "storage", url, wanted.owner_password)
    assert await objects_of(url, wanted.owner_password) == []
    await asyncio.to_thread(migrate.upgrade, "storage", url, wanted.owner_password)
    assert migrate.head("storage") is not None
