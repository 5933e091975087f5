"""Commands about what is used: sums that are compared with the ledger."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.administration import administered_database

if TYPE_CHECKING:
    from services.analytics.store import Difference

app = typer.Typer(help="Look after the ledger of use.", no_args_is_help=True)

SHOWN = 50
"""Differences that are named one by one."""


@app.callback()
def _usage() -> None:
    """Look after the ledger of use."""


@app.command()
def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Add up anew what differs.")] = False,
) -> None:
    """Compare all sums of use with the ledger; exit status 1 when something differs. Safe while the system runs."""
    if not asyncio.run(_verify(repair=repair)):
        raise typer.Exit(1)


@app.command()
def holdings(
    repair: Annotated[bool, typer.Option("--repair", help="Count what is there.")] = False,
) -> None:
    """Compare the stored bytes and voices that plans are measured by with what there is; exit status 1 if they differ.

    Safe while the system runs.
    """
    if not asyncio.run(_holdings(repair=repair)):
        raise typer.Exit(1)


async def _holdings(*, repair: bool) -> bool:
    from deploy.cli.holdings import compare_holdings, correct_holdings

    async with AsyncExitStack() as stack:
        names = ("storage", "voice", "analytics")
        databases = {name: await stack.enter_async_context(administered_database(name)) for name in names}
        found = await compare_holdings(databases)
        for one in found[:SHOWN]:
            kept = one.kept if one.kept is not None else "nothing"
            print(f"{one.real.quota} of {one.real.org_id}: {one.real.id} counts {kept}, is {one.real.quantity}")
        if len(found) > SHOWN:
            print(f"and {len(found) - SHOWN} more")
        if found and repair:
            print(f"{await correct_holdings(databases, found)} of {len(found)} are counted as they are")
            found = await compare_holdings(databases)
    print("all that there is is counted as it is" if not found else f"{len(found)} things are counted otherwise")
    return not found


async def _verify(*, repair: bool) -> bool:
    from services.analytics.usecases.verifying import repair_sums, verify_sums

    async with administered_database("analytics") as database:
        found = await verify_sums(database)
        _tell(found)
        if not found or not repair:
            return not found
        await repair_sums(database, found)
        left = await verify_sums(database)
    print(f"{len(found) - len(left)} of {len(found)} sums are added up anew")
    _tell(left)
    return not left


def _tell(found: list[Difference]) -> None:
    for one in found[:SHOWN]:
        where = f" in {one.period:%Y-%m}" if one.period else ""
        kept, counted = (value if value is not None else "nothing" for value in (one.kept, one.counted))
        print(f"{one.what}: {one.unit} of {one.org_id}{where}: kept {kept}, counted {counted}")
    if len(found) > SHOWN:
        print(f"and {len(found) - SHOWN} more")
    print("all sums are what the ledger says" if not found else f"{len(found)} sums differ")
