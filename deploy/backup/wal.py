"""The write-ahead log, copied as it is written: what turns a backup into every moment after it.

The log of a server is fetched through a replication slot, which keeps it there until it is here. A slot's name carries
the line that it feeds: a directory with an unbroken run of segments of one timeline. Where the log has a gap (the slot
was lost, the server was restored, another directory is used) a new line begins, and needs a full backup of its own.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from deploy.backup.manifest import Damaged
from deploy.backup.source import Source, ToolFailed
from deploy.backup.vault import Coverage, Vault
from deploy.embedded.errors import StackError

SEGMENT_BYTES = 1 << 20
"""As the embedded stack's databases are created: initdb --wal-segsize=1."""

_SEGMENTS_PER_ID = (1 << 32) // SEGMENT_BYTES
_SLOT = "antiphon_backup_"
_MARK = "select pg_logical_emit_message(true, 'antiphon.backup', '')"
_CATCH_UP_SECONDS = 60.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Line:
    """An unbroken run of the log, and the slot that feeds it."""

    name: str

    @property
    def slot(self) -> str:
        return _SLOT + self.name


async def attach(source: Source, vault: Vault) -> Line:
    """The line that the server's log is fetched into; a new one where there is none that can go on.

    Raises StackError when the server does not answer.
    """
    async with vault.attaching(), source.database() as connection:
        slots = await connection.fetch(
            "select slot_name, wal_status from pg_replication_slots where starts_with(slot_name, $1)", _SLOT
        )
        for slot in slots:
            line = Line(slot["slot_name"].removeprefix(_SLOT))
            if not (vault.wal / line.name).is_dir():
                continue  # another directory's
            if slot["wal_status"] in ("reserved", "extended"):
                return line
            await connection.execute("select pg_drop_replication_slot($1)", line.slot)
        line = Line(secrets.token_hex(4))
        folder = vault.wal / line.name
        folder.mkdir(mode=0o700)
        await connection.execute("select pg_create_physical_replication_slot($1, true)", line.slot)
        return line


async def give_up(source: Source, line: Line) -> None:
    """Let a line end where it is, as it cannot go on: the next `attach` begins another."""
    async with source.database() as connection:
        await connection.execute(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and not active",
            line.slot,
        )


async def receive(source: Source, vault: Vault, line: Line, *, until: str | None = None) -> None:
    """Fetch the log as it is written, or up to a position. Raises ToolFailed when that breaks off."""
    stop = (f"--endpos={until}",) if until else ()
    folder = vault.wal / line.name
    await source.run(
        *("pg_receivewal", *source.server, f"--directory={folder}", f"--slot={line.slot}"),
        *("--synchronous", "--no-loop", "--status-interval=1", *stop),
    )


async def catch_up(source: Source, vault: Vault, line: Line, *, fetch: bool = True) -> Coverage:
    """Have here all that is committed by now; write down how far that is.

    `fetch`: fetch it unless somebody does already; else wait for whoever does.

    A mark of our own is committed after that moment, so that a restore to it meets a commit at which it can stop.
    Raises StackError when the log does not come.
    """
    async with source.database() as connection:
        file = await connection.fetchval("select pg_walfile_name(pg_current_wal_lsn())")
        now = await mark(connection)
        position = str(await connection.fetchval("select pg_current_wal_lsn()::text"))
        if not await _is_fetched(connection, line, position, wait=not fetch):
            await receive(source, vault, line, until=position)
    coverage = Coverage(line.name, int(file[:8], 16), now, position)
    await vault.cover(coverage)
    return coverage


async def mark(connection: asyncpg.Connection[asyncpg.Record]) -> datetime:
    """Commit something that changes nothing; returns a moment before that, and after all that was done so far."""
    now: datetime = await connection.fetchval("select clock_timestamp()")
    await connection.execute(_MARK)
    return now.astimezone(UTC)


async def _is_fetched(connection: asyncpg.Connection[asyncpg.Record], line: Line, position: str, *, wait: bool) -> bool:
    """Wait for whoever fetches the log; False when nobody does, unless somebody is to be waited for."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _CATCH_UP_SECONDS
    while True:
        there = await connection.fetchval(
            "select coalesce(flush_lsn >= $2::text::pg_lsn, false) from pg_replication_slots s "
            "join pg_stat_replication r on r.pid = s.active_pid where slot_name = $1",
            line.slot,
            position,
        )
        if there or (there is None and not wait):
            return bool(there)
        if loop.time() > deadline:
            raise StackError(f"The log was not copied to the backups within {_CATCH_UP_SECONDS:g} s. Is the disk full?")
        await asyncio.sleep(_POLL_SECONDS)


def segment_of(timeline: int, position: str, *, before: bool = False) -> str:
    """The name of the segment that a position such as 0/3100028 lies in, or the byte `before` it."""
    high, _, low = position.partition("/")
    number = ((int(high, 16) << 32) + int(low, 16) - before) // SEGMENT_BYTES
    return f"{timeline:08X}{number // _SEGMENTS_PER_ID:08X}{number % _SEGMENTS_PER_ID:08X}"


def next_segment(name: str) -> str:
    """The name of the segment that follows."""
    timeline, high, number = (int(name[start : start + 8], 16) for start in (0, 8, 16))
    number += 1
    return f"{timeline:08X}{high + number // _SEGMENTS_PER_ID:08X}{number % _SEGMENTS_PER_ID:08X}"


def segments(vault: Vault, line: str, timeline: int, start: str, end: str) -> list[Path]:
    """The files of a line that hold the log from a position up to another. Raises Damaged when one is missing."""
    files = {file.name.removesuffix(".partial"): file for file in sorted((vault.wal / line).glob("0*"), reverse=True)}
    found = []
    name = segment_of(timeline, start)
    while name <= segment_of(timeline, end, before=True):
        if name not in files:
            raise Damaged(f"the log lacks {name} in {vault.wal / line}")
        found.append(files[name])
        name = next_segment(name)
    return found


async def verify_log(source: Source, vault: Vault, line: str, timeline: int, start: str, end: str) -> None:
    """Read the log from a position to another: its records carry checksums. Raises Damaged."""
    files = segments(vault, line, timeline, start, end)
    with tempfile.TemporaryDirectory(prefix="antiphon-wal-") as temporary:
        for file in files:
            (Path(temporary) / file.name.removesuffix(".partial")).symlink_to(file)
        try:
            await source.run(
                *("pg_waldump", "--quiet", f"--path={temporary}", f"--timeline={timeline}"),
                *(f"--start={start}", f"--end={end}"),
            )
        except ToolFailed as error:
            raise Damaged(f"the log in {vault.wal / line} is damaged: {error.said[-300:]}") from None
