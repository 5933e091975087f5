"""The command that makes streams and durables what the services declare."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

import typer

from deploy.embedded.errors import StackError


def provision(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit status 1 if there is something to do.")
    ] = False,
) -> None:
    """Show how the broker differs from what the services declare, and mend that. Never deletes."""
    asyncio.run(_provision(yes=yes, check=check))


async def _provision(*, yes: bool, check: bool) -> None:
    # Imported here: the services' declarations take a while to load.
    from deploy.cli.operator import operator_bus
    from deploy.init import all_consumers
    from libs.messaging.provision import WouldLoseData, apply, plan

    replicas = _replicas()
    async with operator_bus() as bus:
        try:
            changes = await plan(bus.jetstream, all_consumers(), replicas=replicas)
        except WouldLoseData as error:
            raise StackError(f"Nothing was changed: {error}.") from None
        for change in changes:
            print(change)
        to_do = [change for change in changes if change.action != "undeclared"]
        if not to_do:
            print("Streams and durables are as declared.")
            return
        if check:
            raise typer.Exit(1)
        if not yes and not typer.confirm(f"Make these {len(to_do)} changes?"):
            raise StackError("Nothing was changed.")
        await apply(bus.jetstream, to_do)
        print(f"Made {len(to_do)} changes.")


def _replicas() -> int:
    text = os.environ.get("ANTIPHON_NATS_REPLICAS") or "1"
    if text not in ("1", "3", "5"):
        raise StackError(f"ANTIPHON_NATS_REPLICAS must be 1, 3 or 5, not '{text}'.")
    return int(text)
