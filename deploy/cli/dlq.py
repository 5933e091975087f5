"""Commands about dead letters: events that a consumer could not apply."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.moments import parse_moment
from deploy.cli.operator import operator_bus
from deploy.embedded.errors import StackError

if TYPE_CHECKING:
    from libs.messaging import Bus
    from libs.messaging.deadletters import DeadLetter, Filter

app = typer.Typer(help="Look at dead letters, replay or drop them.", no_args_is_help=True)

Ids = Annotated[list[int] | None, typer.Argument(metavar="ID...", help="As `list` shows them.")]
Consumer = Annotated[str | None, typer.Option("--consumer", help="Only this durable's.")]
Type = Annotated[str | None, typer.Option("--type", help="Only this event type: full name or last part.")]
Since = Annotated[str | None, typer.Option("--since", help="ISO time, or an age such as 2h.")]
Until = Annotated[str | None, typer.Option("--until", help="ISO time, or an age such as 30m.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many.")]
All = Annotated[bool, typer.Option("--all", help="All that the filters name.")]


@app.command("list")
def list_letters(
    consumer: Consumer = None,
    event_type: Type = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
) -> None:
    """List dead letters, oldest first."""
    wanted = _filter(consumer, event_type, since, until, limit)

    async def run() -> None:
        async with operator_bus() as bus:
            if not as_json:
                print(_row("ID", "TIME", "CONSUMER", "TYPE", "EVENT", "TRIES", "ERROR"))
            async for letter in _chosen(bus, None, wanted):
                summary = letter.summary()
                print(json.dumps(summary) if as_json else _row(*summary.values()))

    asyncio.run(run())


@app.command()
def show(seq: Annotated[int, typer.Argument(metavar="ID")]) -> None:
    """Show everything about one dead letter, as JSON."""

    async def run() -> None:
        async with operator_bus() as bus:
            async for letter in _chosen(bus, [seq], None):
                print(json.dumps(letter.details(), indent=2))
                return
            raise typer.Exit(1)

    asyncio.run(run())


@app.command()
def replay(
    ids: Ids = None,
    every: All = False,
    consumer: Consumer = None,
    event_type: Type = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
) -> None:
    """Send events again to the consumer that could not apply them. Safe to repeat."""
    wanted = _filter(consumer, event_type, since, until, limit)
    if bool(ids) == every:
        raise StackError("Name the ids, or say --all, with filters if you like.")

    async def run() -> None:
        from libs.messaging import deadletters

        count = 0
        async with operator_bus() as bus:
            async for letter in _chosen(bus, ids, wanted):
                if not dry_run:
                    try:
                        await deadletters.replay(bus, letter)
                    except deadletters.ConsumerGone as gone:
                        raise StackError(_gone(gone, letter, count)) from None
                count += 1
        print(f"{'would replay' if dry_run else 'replayed'} {count}")

    asyncio.run(run())


@app.command()
def drop(
    ids: Ids = None,
    every: All = False,
    consumer: Consumer = None,
    event_type: Type = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete dead letters for good."""
    wanted = _filter(consumer, event_type, since, until, limit)
    if bool(ids) == every:
        raise StackError("Name the ids, or say --all, with filters if you like.")

    async def run() -> None:
        from libs.messaging import deadletters

        async with operator_bus() as bus:
            chosen = [letter.seq async for letter in _chosen(bus, ids, wanted)]
            if chosen and not yes:
                # In a thread: the connection must go on answering the broker while somebody thinks.
                await asyncio.to_thread(typer.confirm, f"Delete {len(chosen)} dead letter(s) for good?", abort=True)
            count = 0
            for seq in chosen:
                count += await deadletters.drop(bus, seq)
        print(f"dropped {count}")

    asyncio.run(run())


async def _chosen(bus: Bus, ids: list[int] | None, wanted: Filter | None) -> AsyncIterator[DeadLetter]:
    from libs.messaging import deadletters

    if not ids:
        async for letter in deadletters.find(bus, wanted or deadletters.Filter()):
            yield letter
    for seq in ids or ():
        found = await deadletters.get(bus, seq)
        if found is None:
            # Not the end: whoever repeats a command that was cut short wants the rest done.
            print(f"There is no dead letter {seq}; it may have been replayed or dropped already.", file=sys.stderr)
        else:
            yield found


def _gone(gone: Exception, letter: DeadLetter, replayed: int) -> str:
    return (
        f"Dead letter {letter.seq} cannot be replayed: {gone}. Replayed before it: {replayed}.\n"
        f"If the consumer should exist, create it (antiphon migrate, or antiphon init) and repeat this; if it was"
        f" removed for good, delete what it left: antiphon dlq drop --all --consumer {letter.consumer}"
    )


def _filter(
    consumer: str | None, event_type: str | None, since: str | None, until: str | None, limit: int | None
) -> Filter:
    from libs.messaging.deadletters import Filter

    now = datetime.now(UTC)
    return Filter(
        consumer,
        event_type,
        parse_moment(since, now) if since else None,
        parse_moment(until, now) if until else None,
        limit,
    )


def _row(*cells: object) -> str:
    widths = (8, 33, 24, 36, 37, 6, 0)
    return " ".join(str(cell).ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
