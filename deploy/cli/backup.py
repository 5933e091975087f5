"""Commands that make backups, list them, check them and bring a moment back."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.moments import parse_moment
from deploy.cli.speech import Progress
from deploy.embedded.errors import StackError
from deploy.embedded.home import Home, find_home

if TYPE_CHECKING:
    from deploy.backup.settings import BackupSettings
    from deploy.backup.vault import Record, Vault

app = typer.Typer(help="Make a backup of the running stack, check backups, or rehearse a restore.")

Directory = Annotated[Path | None, typer.Option("--dir", help="Where backups lie; ANTIPHON_BACKUP_DIR if absent.")]


@app.callback(invoke_without_command=True)
def backup(
    context: typer.Context,
    directory: Directory = None,
    full: Annotated[bool, typer.Option("--full", help="A full one, though what changed would do.")] = False,
) -> None:
    """Back up the running stack: everything the first time and once a day, else what changed; then verify it."""
    context.obj = directory
    if context.invoked_subcommand is not None:
        return
    settings, vault = _open(directory, create=True)
    with Progress() as progress:
        home = find_home()
        with vault.serving(home.path):
            record = asyncio.run(_make(home, vault, settings, progress, full=full))
    print(_describe(record))


async def _make(home: Home, vault: Vault, settings: BackupSettings, progress: Progress, *, full: bool) -> Record:
    from deploy.backup import making, retention, wal
    from deploy.backup.source import Source

    if home.holder() is None:
        raise StackError(f"No stack is running in {home.path}. Start it: antiphon up --detach")
    source = Source(home)
    line = await wal.attach(source, vault)
    plan = (
        making.Plan("full", None, line) if full else making.plan_now(vault.records(), line, settings, datetime.now(UTC))
    )
    record = await making.make_due(source, vault, plan, progress.show)
    retention.apply(vault, settings.keep, datetime.now(UTC))
    return record


@app.command()
def verify(
    context: typer.Context,
    directory: Directory = None,
) -> None:
    """Read everything that was backed up again; exit status 1 when something is not what was written."""
    from deploy.backup.checking import check

    _, vault = _open(directory or context.obj)
    with Progress() as progress:
        problems = asyncio.run(check(find_home(), vault, progress.show))
    for problem in problems:
        print(problem)
    if problems:
        raise StackError(
            f"{len(problems)} of what was backed up are damaged.\n"
            "Make a full backup now: antiphon backup --full, and look at the disk before it is relied on."
        )
    print("Everything that was backed up is what was written.")


@app.command()
def drill(
    context: typer.Context,
    directory: Directory = None,
    to: Annotated[str, typer.Option("--to", help="ISO time, an age such as 2h, or latest.")] = "latest",
) -> None:
    """Restore into a second stack beside this one, look at everything there, and remove it again."""
    from deploy.backup.drill import rehearse

    _, vault = _open(directory or context.obj)
    with Progress() as progress:
        findings = rehearse(vault, _moment(to), progress.show)
    print("\n".join(findings.lines()))
    if findings.problems:
        raise StackError(f"The restored stack has {len(findings.problems)} problems, see above.")


def backups(
    directory: Directory = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the backups, and the moments that can be restored."""
    _, vault = _open(directory)
    records = vault.records()
    if as_json:
        coverages = [asdict(one) for one in vault.coverages()]
        content = {"backups": [asdict(record) for record in records], "log": coverages}
        print(json.dumps(content, default=datetime.isoformat, indent=2))
        return
    print(_render(vault, records))


def restore(
    to: Annotated[str, typer.Option("--to", help="ISO time, an age such as 2h, or latest.")],
    into: Annotated[
        Path | None, typer.Option("--into", help="The state directory to make; ANTIPHON_HOME if absent.")
    ] = None,
    directory: Directory = None,
    replace: Annotated[
        Path | None, typer.Option("--replace", help="Put the directory of this name aside first, if it has data.")
    ] = None,
) -> None:
    """Bring a moment back into a state directory; start it with: ANTIPHON_HOME=<directory> antiphon up."""
    from deploy.backup.restoring import restore as bring_back

    _, vault = _open(directory)
    home = Home(into.expanduser().absolute()) if into else find_home()
    if home.holder() is not None:
        raise StackError(f"A stack is running in {home.path}. Stop it first: antiphon down")
    moment = _moment(to)
    aside = _put_aside(home, replace)
    try:
        with Progress() as progress:
            done = bring_back(vault, moment, home, progress.show)
    except BaseException:
        if aside is not None and not home.path.exists():
            aside.rename(home.path)
        raise
    print(
        f"{home.path} is as it was at {done.choice.moment.isoformat()}: from {done.choice.record.id} and the log, "
        f"{done.objects:,} objects ({done.object_bytes / 1e6:,.1f} MB), {done.seconds:g} s.\n"
        + (f"What was there lies in {aside}.\n" if aside else "")
        + f"Start it: ANTIPHON_HOME={home.path} antiphon up"
    )


def _put_aside(home: Home, named: Path | None) -> Path | None:
    if not home.path.exists() or not any(home.path.iterdir()):
        return None
    if named is None or named.expanduser().absolute() != home.path:
        raise StackError(
            f"{home.path} has data. To put it aside and restore in its place, say its name: --replace {home.path}\n"
            "Or restore into another directory: --into <directory>"
        )
    aside = home.path.with_name(f"{home.path.name}.before-{time.strftime('%Y%m%dT%H%M%S')}")
    home.path.rename(aside)
    return aside


def _moment(text: str) -> datetime | None:
    return None if text == "latest" else parse_moment(text, datetime.now(UTC))


def _open(directory: Path | None, *, create: bool = False) -> tuple[BackupSettings, Vault]:
    from deploy.backup.settings import read_settings
    from deploy.backup.vault import Vault

    settings = read_settings(directory=directory)
    vault = Vault(settings.directory)
    if create:
        vault.prepare()
    else:
        vault.check()
    return settings, vault


def _describe(record: Record) -> str:
    return (
        f"{record.id}: {record.new_bytes / 1e6:,.1f} MB of databases, {record.objects:,} new objects "
        f"({record.object_bytes / 1e6:,.1f} MB), {record.letters:,} dead letters, verified; {record.seconds:g} s"
    )


def _render(vault: Vault, records: list[Record]) -> str:
    from deploy.backup.contents import Contents

    if not records:
        return f"{vault.path} holds no backup yet. Make one: antiphon backup --dir {vault.path}"
    rows = [("BACKUP", "RESTORABLE FROM", "DATABASES", "OBJECTS", "VERIFIED")]
    for one in records:
        sizes = (f"{one.new_bytes / 1e6:,.1f} MB", f"{one.object_bytes / 1e6:,.1f} MB")
        ended, verified = (moment.isoformat(timespec="seconds") for moment in (one.ended, one.verified))
        rows.append((one.id, ended, *sizes, verified))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    for coverage in sorted(vault.coverages(), key=lambda one: one.until):
        if own := [record for record in records if record.line == coverage.line]:
            first, last = own[0].ended.isoformat(), coverage.until.isoformat()
            lines.append(f"Any moment from {first} to {last} can be restored.")
    with closing(Contents(vault.objects)) as contents:
        count, size = contents.sizes()
    lines.append(f"{count:,} contents of objects, {size / 1e6:,.1f} MB, in {vault.path}")
    return "\n".join(lines)
