"""Commands about projections: which can be built anew from the archives, and doing so."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.events import service_connection
from deploy.cli.operator import administrator_database
from deploy.embedded.errors import StackError

if TYPE_CHECKING:
    from libs.messaging import Consumers, Rebuildable

app = typer.Typer(help="Build projections anew from the archives.", no_args_is_help=True)


_WHY_NOT = "as it tells others of what it does, or its tables hold more than these events say"


@app.command("list")
def list_projections() -> None:
    """List what can be rebuilt, and what cannot."""
    from deploy.init import all_consumers

    for consumers in all_consumers():
        covered = {one.event.name for each in consumers.rebuildables for one in each.projections}
        for rebuildable in consumers.rebuildables:
            print(f"{rebuildable.name}: from {', '.join(one.event.name for one in rebuildable.projections)}")
        for projection in consumers.projections:
            if projection.event.name not in covered:
                print(f"- {consumers.group}: {projection.event.name}: not to be rebuilt, {_WHY_NOT}")


@app.command()
def rebuild(name: Annotated[str, typer.Argument(help="As `list` shows it.")]) -> None:
    """Empty a projection's tables and fill them from the archives, in one transaction, while the system runs."""
    from deploy.init import all_consumers

    known = {one.name: (consumers, one) for consumers in all_consumers() for one in consumers.rebuildables}
    if name not in known:
        raise StackError(f"There is no projection {name} that can be rebuilt. There are: {', '.join(known)}.")
    asyncio.run(_rebuild(*known[name]))


async def _rebuild(consumers: Consumers, rebuildable: Rebuildable) -> None:
    from libs.database import Database
    from libs.messaging.topology import projection_durable
    from libs.outbox.rebuild import ArchiveIncomplete
    from libs.outbox.rebuild import rebuild as rebuild_tables

    (source,) = {projection.event.service for projection in rebuildable.projections}
    url, password = administrator_database(consumers.group)
    database = Database(url, password, application="antiphon-rebuild", pool_size=1)
    done = 0
    try:
        async with service_connection(source) as archive:
            batches = rebuild_tables(database, archive, rebuildable, durable=projection_durable(consumers.group))
            async for count in batches:
                done += count
                print(f"{done:,} events", file=sys.stderr, flush=True)
    except ArchiveIncomplete as error:
        raise StackError(
            f"Nothing was changed: {error}. What came before it is gone; a larger ANTIPHON_OUTBOX_KEEP_DAYS keeps more."
        ) from None
    finally:
        await database.close()
    print(f"rebuilt {rebuildable.name} from {done:,} events")
