"""Commands about the search indexes: how far re-embedding is, and dropping what a former model has left."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.events import service_connection
from deploy.embedded.errors import StackError

if TYPE_CHECKING:
    import asyncpg

app = typer.Typer(help="Look at the search indexes, one a model, and drop former ones.", no_args_is_help=True)

_INDEXES = """
select id, model_id as model, dimensions, is_active, is_wanted, error, idle_since, vectors, chunks
from vector_indexes join count_vectors() on index_id = id order by id
"""


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
) -> None:
    """Show each model's index: whether it is searched, and how much of it is made."""
    rows = asyncio.run(_list())
    if not as_json:
        print(_row("MODEL", "DIMENSIONS", "STATE", "VECTORS", "OF", "ERROR"))
    for row in rows:
        state = _state(row)
        if as_json:
            idle = row["idle_since"].isoformat() if row["idle_since"] else None
            print(json.dumps({**row, "idle_since": idle, "state": state}))
        else:
            counts = f"{row['vectors']:,}", f"{row['chunks']:,}"
            print(_row(row["model"], str(row["dimensions"]), state, *counts, row["error"] or "").rstrip())


@app.command()
def drop(model: Annotated[str, typer.Argument(help="As `status` shows it.")]) -> None:
    """Drop the index of a model that was left, before its time: going back to it embeds everything anew."""
    dropped = asyncio.run(_drop(model))
    if not dropped:
        raise StackError(f"There is no index of {model} that could be dropped: one that is active or wanted is needed.")
    print(f"dropped the index of {model}")


async def _list() -> list[dict[str, Any]]:  # Any: the columns of _INDEXES
    async with service_connection("embedding") as connection:
        return [dict(row) for row in await connection.fetch(_INDEXES)]


async def _drop(model: str) -> int:
    async with service_connection("embedding") as connection:
        idle = await connection.fetch(
            "select id from vector_indexes where model_id = $1 and not is_active and not is_wanted", model
        )
        for row in idle:
            await _drop_one(connection, row["id"])
        return len(idle)


async def _drop_one(connection: asyncpg.Connection[asyncpg.Record], index: int) -> None:
    from asyncpg import LockNotAvailableError

    from services.embedding.store.indexes import CHANGING

    try:
        async with connection.transaction():
            await connection.execute(f"{CHANGING}; set local lock_timeout = '1s'")
            await connection.execute("select drop_vector_index($1)", index)
    except LockNotAvailableError:
        raise StackError("Searches did not leave the index for a second; try again.") from None


def _state(row: dict[str, Any]) -> str:  # Any: as above
    if row["is_active"]:
        return "active" if row["is_wanted"] else "active, being left"
    return "being made" if row["is_wanted"] else "left"


def _row(model: str, dimensions: str, state: str, vectors: str, chunks: str, error: str) -> str:
    return f"{model:<32}  {dimensions:>10}  {state:<18}  {vectors:>12}  {chunks:>12}  {error}"
