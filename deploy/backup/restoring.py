"""Restoring a moment into a state directory: databases by the log, objects by the index, and the rest beside them."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.backup import letters, wal
from deploy.backup.contents import Contents
from deploy.backup.copying import put_back
from deploy.backup.making import verify_database
from deploy.backup.manifest import Damaged, read_manifest
from deploy.backup.source import Source
from deploy.backup.vault import Record, Vault
from deploy.embedded.errors import StackError
from deploy.embedded.home import MINIMUM_FREE_BYTES, Home, write_atomically
from deploy.embedded.postgres import choose_account
from deploy.embedded.supervisor import Supervisor

Show = Callable[[str], None]

_RECOVERY = """
# Written by antiphon restore, and gone when it is done.
restore_command = 'false'
recovery_target_timeline = 'current'
recovery_target_action = 'promote'
hot_standby = off
archive_mode = off
"""
_CALL_NOBODY = """
update webhooks set status = 'disabled', disabled_reason = 'requested' where status = 'enabled';
delete from webhook_queue;
"""
_SETTINGS = "postgresql.auto.conf"


@dataclass(frozen=True)
class Choice:
    """The backup that a moment is restored from, and the position in its log by which the moment has passed."""

    record: Record
    moment: datetime
    end_position: str


@dataclass(frozen=True)
class Restored:
    """What a restore brought back."""

    choice: Choice
    objects: int
    object_bytes: int
    letters: int
    seconds: float


def choose(vault: Vault, moment: datetime | None) -> Choice:
    """The newest backup from which a moment can be reached; the last moment of all when none is given.

    Raises StackError that tells the moments that can be.
    """
    coverages = {one.line: one for one in vault.coverages()}
    records = [record for record in vault.records() if record.line in coverages]
    if not records:
        raise StackError(f"{vault.path} holds no complete backup. Make one: antiphon backup --dir {vault.path}")
    if moment is None:
        moment = coverages[records[-1].line].until
    before = [record for record in records if record.ended <= moment]
    if not before:
        raise StackError(f"The first moment that can be restored is {records[0].ended.isoformat()}.")
    record = before[-1]
    coverage = coverages[record.line]
    if moment > coverage.until:
        later = [one.ended for one in records if one.ended > moment]
        bound = f" and the next one begins at {later[0].isoformat()}" if later else ""
        raise StackError(
            f"The log of that time reaches to {coverage.until.isoformat()}{bound}.\n"
            "Choose one of these; while the stack runs, antiphon backup brings the log up to now."
        )
    # Each begins with a commit of its own, at which the restore to a moment before it can stop.
    after = [one for one in records if one.line == record.line and one.began > moment]
    return Choice(record, moment, after[0].end_position if after else coverage.position)


def restore(vault: Vault, moment: datetime | None, home: Home, show: Show, *, quiet: bool = False) -> Restored:
    """Restore a moment into a state directory that does not exist or is empty.

    `quiet` is for a copy beside the one that works: it calls nobody's webhooks. Until everything is there the
    directory has another name, so half of a restore is never taken for a stack. Raises StackError.
    """
    began = time.monotonic()
    choice = choose(vault, moment)
    if home.path.exists() and any(home.path.iterdir()):
        raise StackError(f"{home.path} is not empty. Name a directory that is, or does not exist: --into <directory>")
    fresh = Home(home.path.with_name(home.path.name + ".restoring"))
    if fresh.holder() is not None:
        raise StackError(f"Another restore into {home.path} is going on (pid {fresh.holder()}).")
    shutil.rmtree(fresh.path, ignore_errors=True)
    try:
        check_room(vault, choice, home.path)
        asyncio.run(_lay_out(vault, choice, fresh, show))
    except Damaged as error:
        raise StackError(f"This moment cannot be restored: {error}.\nTry an earlier one: antiphon backups") from None
    with fresh.locked():
        found = asyncio.run(_fill(vault, choice, fresh, show, quiet=quiet))
    if home.path.exists():
        home.path.rmdir()
    fresh.path.rename(home.path)
    return Restored(choice, *found, round(time.monotonic() - began, 2))


def check_room(vault: Vault, choice: Choice, path: Path) -> None:
    """Raise StackError when the disk has too little room; Damaged when that cannot be known."""
    manifests = [read_manifest(vault.database(record.id)) for record in vault.chain(choice.record)]
    needed = sum(size for manifest in manifests for size, _ in manifest.files.values())
    with closing(Contents(vault.objects)) as contents:
        needed += sum(kept.size for kept in contents.at(choice.moment))
    existing = next(parent for parent in path.parents if parent.exists())
    free = shutil.disk_usage(existing).free - MINIMUM_FREE_BYTES
    if free < needed:
        raise StackError(
            f"{needed / 1e6:,.0f} MB are to be restored, the disk of {existing} has {free / 1e6:,.0f} MB to spare.\n"
            "Free some space, or restore elsewhere: --into <directory> (a drill works in TMPDIR)"
        )


async def _lay_out(vault: Vault, choice: Choice, home: Home, show: Show) -> None:
    """Write everything that lies in files. Raises Damaged."""
    source = Source(home)
    chain = vault.chain(choice.record)
    for record in chain:
        show(f"verifying {record.id}")
        await verify_database(vault.database(record.id), show)
    show("verifying the log")
    base = choice.record
    await wal.verify_log(source, vault, base.line, base.timeline, base.start_position, choice.end_position)
    home.path.mkdir(mode=0o700, parents=True)
    state = vault.state(choice.record.id)
    for folder in (home.postgres, home.logs):
        folder.mkdir(mode=0o755 if folder == home.postgres else 0o700)
    shutil.copytree(state / "secrets", home.secrets)
    for file in (home.version_file, home.hello_file):
        if (state / file.name).exists():
            shutil.copy2(state / file.name, file)
    show("putting the databases together")
    await _combine(source, [vault.database(record.id) for record in chain], home.postgres / "data")
    await asyncio.to_thread(_add_log, vault, choice, home.postgres / "data")


async def _combine(source: Source, folders: list[Path], target: Path) -> None:
    if len(folders) == 1:
        await asyncio.to_thread(shutil.copytree, folders[0], target)
    else:
        await source.run("pg_combinebackup", *map(str, folders), f"--output={target}", "--manifest-checksums=SHA256")


def _add_log(vault: Vault, choice: Choice, data: Path) -> None:
    """Give the databases the log and the moment at which to stop, and to the account that will run them."""
    folder = data / "pg_wal"
    (folder / "archive_status").mkdir(parents=True, exist_ok=True)
    base = choice.record
    for file in wal.segments(vault, base.line, base.timeline, base.start_position, choice.end_position):
        shutil.copyfile(file, folder / file.name.removesuffix(".partial"))
    for file in (vault.wal / base.line).glob("*.history"):
        shutil.copyfile(file, folder / file.name)
    settings = data / _SETTINGS
    shutil.copyfile(settings, data / (_SETTINGS + ".before"))
    with settings.open("a") as lines:
        lines.write(f"{_RECOVERY}recovery_target_time = '{choice.moment.isoformat(sep=' ')}'\n")
    (data / "recovery.signal").touch()
    account = choose_account(data)
    for path in (data, *data.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
        if account:
            os.chown(path, account.uid, account.gid)


async def _fill(vault: Vault, choice: Choice, home: Home, show: Show, *, quiet: bool) -> tuple[int, int, int]:
    """Run the three servers until the databases have reached the moment and objects and letters are back."""
    found: tuple[int, int, int] | None = None
    supervisor = Supervisor(home, gateway_port=0, announce=show, programs=())

    async def fill() -> None:
        nonlocal found
        found = await _put_everything_back(vault, choice, Source(home), show, quiet=quiet)
        _forget_recovery(home.postgres / "data")
        supervisor.request_stop()

    show("replaying the log")
    await supervisor.run(fill)
    if found is None:
        raise StackError("The restore was interrupted. Run it again; nothing was changed.")
    return found


async def _put_everything_back(
    vault: Vault, choice: Choice, source: Source, show: Show, *, quiet: bool
) -> tuple[int, int, int]:
    async with source.objects() as store:
        await store.ensure_bucket()
        with closing(Contents(vault.objects)) as contents:
            try:
                copied = await put_back(store, contents, choice.moment, show)
            except Damaged as error:
                raise StackError(f"This moment cannot be restored: {error}.") from None
    async with source.broker() as bus:
        buried = await letters.put_back(bus, vault.letters(choice.record.id), datetime.now(UTC))
    if quiet:
        async with source.database("antiphon_gateway") as connection:
            await connection.execute(_CALL_NOBODY)
    return copied.objects, copied.bytes, buried


def _forget_recovery(data: Path) -> None:
    """Settings of the restore must not lie in wait for the next one."""
    before = data / (_SETTINGS + ".before")
    text = before.read_text()
    owner = before.stat()
    before.unlink()
    write_atomically(data / _SETTINGS, text, mode=0o600)
    if os.geteuid() == 0:
        os.chown(data / _SETTINGS, owner.st_uid, owner.st_gid)
