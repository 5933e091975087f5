"""Making a backup: databases, objects, dead letters and secrets, read back before it counts as one."""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.backup import letters, wal
from deploy.backup.contents import Contents
from deploy.backup.copying import Copied, copy_new
from deploy.backup.manifest import Damaged, Manifest, read_manifest, share_files, verify_files
from deploy.backup.settings import BackupSettings
from deploy.backup.source import Source, ToolFailed, tree_bytes
from deploy.backup.vault import Kind, Record, Vault
from deploy.embedded.errors import StackError
from deploy.embedded.home import Home
from libs.objectstore import ObjectStoreUnavailable

Show = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is to be made: a full backup, or what changed since `parent`."""

    kind: Kind
    parent: Record | None
    line: wal.Line


def plan_next(records: list[Record], line: wal.Line, settings: BackupSettings, now: datetime) -> Plan | None:
    """What is due by the schedule; None when nothing is. A line begins with a full backup."""
    own = [record for record in records if record.line == line.name]
    fulls = [record for record in own if record.kind == "full"]
    if not fulls or now - fulls[-1].ended >= settings.full_every:
        return Plan("full", None, line)
    if now - own[-1].ended >= settings.incremental_every:
        return Plan("incremental", own[-1], line)
    return None


def plan_now(records: list[Record], line: wal.Line, settings: BackupSettings, now: datetime) -> Plan:
    """What to make when somebody asks: a full one when it is due, else what changed."""
    due = plan_next(records, line, settings, now)
    if due is not None:
        return due
    return Plan("incremental", [record for record in records if record.line == line.name][-1], line)


async def make_due(source: Source, vault: Vault, plan: Plan, show: Show) -> Record:
    """As `make`; where an incremental backup is not possible any more, make a full one instead."""
    try:
        return await make(source, vault, plan, show)
    except NeedsFull as reason:
        show(f"{reason} A full backup is made instead.")
        return await make(source, vault, Plan("full", None, plan.line), show)


async def make(source: Source, vault: Vault, plan: Plan, show: Show) -> Record:
    """Write a backup, verify it, and only then count it as one.

    Raises StackError with what to do; what was there before is untouched then.
    """
    with vault.writing():
        async with source.database() as connection:
            began = await wal.mark(connection)
        identity = f"{began:%Y%m%dT%H%M%S}-{plan.kind}"
        if (vault.backups / identity).exists():
            raise StackError(f"Backup {identity} is there already. Try again in a second.")
        folder = vault.begin(identity)
        try:
            record = await _write(source, vault, plan, folder, began, show)
            vault.finish(folder, record)
        except Damaged as error:
            raise StackError(f"The backup was not written as it should be: {error}\nIs the disk sound?") from None
        except ObjectStoreUnavailable as error:
            raise StackError(f"The objects could not be copied: {error}. See: antiphon status") from None
        except (OSError, sqlite3.Error) as error:
            raise StackError(f"The backup could not be written: {error}\nIs there room in {vault.path}?") from None
        finally:
            # Of a complete one this was the name before. Of others nothing should fill the disk.
            shutil.rmtree(folder, ignore_errors=True)
        return record


async def _write(source: Source, vault: Vault, plan: Plan, folder: Path, began: datetime, show: Show) -> Record:
    clock = time.monotonic()
    manifest = await _copy_database(source, vault, plan, folder / "database", show)
    ended = await _now(source)
    _copy_state(source.home, folder / "state")
    copied = await copy_objects(source, vault, show)
    if plan.kind == "full":
        with closing(Contents(vault.objects)) as contents:
            contents.copy_index(folder / "index.db")
    async with source.broker() as bus:
        buried = await letters.save(bus, folder / "letters.jsonl")
    await verify_database(folder / "database", show)
    await _verify_log(source, vault, plan, manifest, show)
    return Record(
        id=folder.stem,
        kind=plan.kind,
        parent=plan.parent.id if plan.parent else None,
        line=plan.line.name,
        timeline=manifest.timeline,
        began=began,
        ended=ended,
        start_position=manifest.start_position,
        end_position=manifest.end_position,
        new_bytes=tree_bytes(folder),
        objects=copied.objects,
        object_bytes=copied.bytes,
        letters=buried,
        seconds=round(time.monotonic() - clock, 2),
        verified=await _now(source),
    )


async def copy_objects(source: Source, vault: Vault, show: Show) -> Copied:
    """Copy what is new in the object store. Raises StackError, or OSError when it is away."""
    show("listing objects")
    with closing(Contents(vault.objects)) as contents:
        async with source.objects() as store:
            return await copy_new(store, source.address, contents, show)


async def verify_database(folder: Path, show: Show) -> None:
    """Read the files of a backup again. Raises Damaged."""

    def verify() -> None:
        done = 0
        for size in verify_files(folder):
            done += size
            show(f"verifying: {done / 1e6:,.0f} MB")

    await asyncio.to_thread(verify)


async def _copy_database(source: Source, vault: Vault, plan: Plan, folder: Path, show: Show) -> Manifest:
    base = ["--checkpoint=fast", "--wal-method=none", "--manifest-checksums=SHA256", "--progress"]
    if plan.parent is not None:
        base.append(f"--incremental={vault.database(plan.parent.id) / 'backup_manifest'}")
    try:
        await source.run(
            *("pg_basebackup", *source.server, f"--pgdata={folder}", *base),
            show=lambda text: show(f"databases: {text}"),
        )
    except ToolFailed as error:
        if plan.parent is not None and re.search("incremental|summar|manifest|timeline", error.said):
            raise NeedsFull(f"What changed since {plan.parent.id} is not known any more.") from error
        raise
    if plan.parent is not None:
        await asyncio.to_thread(share_files, folder, vault.database(plan.parent.id))
    return read_manifest(folder)


class NeedsFull(StackError):
    """The server cannot say what changed since the parent: only a full backup helps."""


def _copy_state(home: Home, folder: Path) -> None:
    """Copy what belongs to the state directory itself: without the secrets nothing of it could be opened."""
    shutil.copytree(home.secrets, folder / "secrets")
    for file in (home.version_file, home.hello_file):
        if file.exists():
            shutil.copy2(file, folder / file.name)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)


async def _verify_log(source: Source, vault: Vault, plan: Plan, manifest: Manifest, show: Show) -> None:
    """See that the log goes on from the backup before without a gap to now, and can be read."""
    show("waiting for the log")
    coverage = await wal.catch_up(source, vault, plan.line)
    start = plan.parent.start_position if plan.parent else manifest.start_position
    show("verifying the log")
    await wal.verify_log(source, vault, plan.line.name, manifest.timeline, start, coverage.position)


async def _now(source: Source) -> datetime:
    """The database server's clock, by which commits are dated."""
    async with source.database() as connection:
        moment: datetime = await connection.fetchval("select clock_timestamp()")
        return moment.astimezone(UTC)
