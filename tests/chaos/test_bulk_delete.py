"""Somebody deletes everything under load; the second before that comes back, by the log, from a copy of its own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.backup.restoring import choose
from deploy.backup.source import tree_bytes
from deploy.backup.vault import Vault
from tests.chaos.audit import audit
from tests.chaos.books import completed_once_each, database, streams_hold_what_was_sent
from tests.chaos.traffic import more_accepted, steady_traffic
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import Stack, resumed_stack, running_stack

REQUESTS_PER_SECOND = 10.0
BETWEEN, AFTER = 100, 20
ROWS = 400_000
_GENERATIONS = "select id::text, created_at from generations"
_MORE = "insert into bulk select n, repeat('word ', 40) from generate_series($1::bigint, $2::bigint) n"


@pytest.fixture
def vault() -> Iterator[Vault]:
    with tempfile.TemporaryDirectory(prefix="antiphon-backup-") as folder:
        yield Vault(Path(folder) / "vault")


@pytest.fixture
def stack(vault: Vault) -> Iterator[Stack]:
    with running_stack({"ANTIPHON_ENGINE_PROCESSES": "2", "ANTIPHON_BACKUP_DIR": str(vault.path)}) as running:
        yield running


async def backed_up(vault: Vault) -> None:
    """Wait for the first backup."""

    async def is_there() -> bool:
        return bool(vault.records())

    await eventually(is_there, within=60, what="the first backup")


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_the_second_before_a_bulk_delete_comes_back(stack: Stack, vault: Vault, tmp_path: Path) -> None:
    await backed_up(vault)
    async with Api(stack.url, stack.api_key) as api, steady_traffic(api, per_second=REQUESTS_PER_SECOND) as traffic:
        await more_accepted(traffic, BETWEEN)
        stack.run("backup")
        await more_accepted(traffic, BETWEEN)
        answered = set(traffic.accepted)
        moment = await now(stack)

        async def a_second_later() -> bool:
            return await now(stack) - moment >= timedelta(seconds=1)

        await eventually(a_second_later, every=0.1, what="the second between the moment and the deletion")
        for generation_id in list(traffic.accepted):
            assert (await api.delete(f"/v1/generations/{generation_id}")).status == 204
        # What comes afterwards must not come back either.
        await more_accepted(traffic, AFTER)

    async def is_covered() -> bool:
        return any(one.until > moment for one in vault.coverages())

    await eventually(is_covered, within=30, what="the log up to the moment")
    home = tmp_path / "home"
    began = time.monotonic()
    stack.run("restore", "--to", moment.isoformat(), "--into", str(home), timeout=300)
    seconds = time.monotonic() - began
    size = tree_bytes(home)
    stack.run("down")
    (line,) = {record.line for record in vault.records()}
    settings = {"ANTIPHON_ENGINE_PROCESSES": "2", "ANTIPHON_BACKUP_DIR": str(vault.path)}
    with resumed_stack(home, settings) as restored:
        async with database(restored, "generation") as connection:
            made = {row["id"]: row["created_at"] for row in await connection.fetch(_GENERATIONS)}
        assert answered <= made.keys()
        assert all(created_at <= moment for created_at in made.values())
        async with Api(restored.url, stack.api_key) as api:
            await completed_once_each(restored, api, sorted(made), within=60)
            await streams_hold_what_was_sent(restored, within=60)
            await completed_once_each(restored, api, sorted(made), within=60)
        found = await audit(restored, set(made), set(), within=60)
        assert found.problems == []

        async def has_new_line() -> bool:
            return vault.records()[-1].line != line

        await eventually(has_new_line, within=60, what="a backup of the restored stack")
        assert vault.records()[-1].kind == "full"
        assert choose(vault, moment).record.line == line
    print(f"{len(made)} generations of {moment.isoformat()}: {size / 1e6:,.0f} MB restored in {seconds:.1f} s")


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_an_incremental_backup_of_one_percent_is_small(stack: Stack, vault: Vault) -> None:
    await backed_up(vault)
    async with database(stack, "analytics") as connection:
        await connection.execute("create table bulk (id bigint primary key, words text)")
        await connection.execute(_MORE, 1, ROWS)
        stack.run("backup", "--full", timeout=120)
        await connection.execute(_MORE, ROWS + 1, ROWS + ROWS // 100)
    stack.run("backup", timeout=120)
    full, incremental = vault.records()[-2:]
    print(f"full {full.new_bytes / 1e6:,.1f} MB in {full.seconds:g} s")
    print(f"incremental {incremental.new_bytes / 1e6:,.1f} MB in {incremental.seconds:g} s")
    assert (full.kind, incremental.kind) == ("full", "incremental")
    assert incremental.new_bytes <= full.new_bytes / 10


async def now(stack: Stack) -> datetime:
    """The database server's clock."""
    async with database(stack, "generation") as connection:
        moment: datetime = await connection.fetchval("select clock_timestamp()")
        return moment.astimezone(UTC)
