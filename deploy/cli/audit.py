"""Commands about the audit log: whether it is as it was written."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from deploy.cli.operator import administrator_database
from deploy.embedded.errors import StackError

if TYPE_CHECKING:
    from libs.database import Database

app = typer.Typer(help="Check the audit log.", no_args_is_help=True)

_ORGANIZATIONS = "select org_id from audit_heads union select distinct org_id from audit_log order by org_id"


@app.callback()
def _several() -> None:
    """Keep `verify` a command of its own, as there may be others."""


@app.command()
def verify(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
) -> None:
    """Follow every organisation's log, erased ones included; say where one is broken, and end with 1 if one is.

    Each line has the hash of the newest entry. Kept elsewhere, it shows later whether all was rewritten.
    """
    broken = asyncio.run(_verify(as_json=as_json))
    if broken:
        raise typer.Exit(1)


async def _verify(*, as_json: bool) -> int:
    import asyncpg
    from sqlalchemy.exc import SQLAlchemyError

    from libs.database import Database
    from services.gateway.usecases import audit

    url, password = administrator_database("gateway")
    database = Database(url, password, application="antiphon-audit", pool_size=1)
    broken = entries = 0
    try:
        organizations = await _organizations(database)
        for org_id in organizations:
            chain = await audit.verify(database, org_id)
            entries += chain.length
            broken += chain.broken_at is not None
            print(_told(org_id, chain.length, chain.broken_at, chain.hash, as_json=as_json), flush=True)
    except (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StackError(f"The gateway's database does not answer: {type(error).__name__}.") from None
    finally:
        await database.close()
    if not as_json:
        found = f"{broken} of them broken" if broken else "all of them intact"
        print(f"{len(organizations)} logs with {entries:,} entries that hold, {found}")
    return broken


async def _organizations(database: Database) -> list[UUID]:
    """Return those that have a log, as whom row-level security does not bind."""
    from libs.database import driver_of

    async with database.transaction() as session:
        return [row["org_id"] for row in await driver_of(session).fetch(_ORGANIZATIONS)]


def _told(org_id: UUID, entries: int, broken_at: int | None, last: bytes, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"organization": str(org_id), "entries": entries, "broken_at": broken_at, "hash": last.hex()})
    if broken_at is None:
        return f"{org_id}  {entries} entries, intact, {last.hex()}"
    return f"{org_id}  broken at entry {broken_at}: it is not as it was written, or is missing"
