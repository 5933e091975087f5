"""The engines that the workers have, as they last said."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Column, DateTime, MetaData, Table, Text, select
from sqlalchemy import func as sql
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.speech.engine import Model as EngineModel

_metadata = MetaData()

models = Table(
    "speech_models",
    _metadata,
    Column("id", Text, primary_key=True),
    Column("description", JSONB),
    Column("version", Text),
    Column("ready", Boolean),
    Column("seen_at", DateTime(timezone=True)),
)


@dataclass(frozen=True, slots=True)
class Model:
    """An engine: what it honours, its languages, its limits; `is_seen` while a worker that has it is there."""

    id: str
    description: dict[str, Any]  # Any: JSON for clients
    version: str
    ready: bool
    seen_at: datetime
    is_seen: bool


def described(model: EngineModel) -> dict[str, Any]:  # Any: JSON
    """Return what clients are told of an engine, without its name and version."""
    return {name: value for name, value in asdict(model).items() if name not in ("id", "version")}


async def save_model(
    session: AsyncSession, model_id: str, *, version: str, ready: bool, description: dict[str, Any]
) -> None:
    """Write down what a worker says of one of its engines."""
    statement = insert(models).values(
        id=model_id, version=version, ready=ready, description=description, seen_at=sql.now()
    )
    new = {name: statement.excluded[name] for name in ("version", "ready", "description", "seen_at")}
    await session.execute(statement.on_conflict_do_update(index_elements=[models.c.id], set_=new))


async def list_models(session: AsyncSession) -> list[Model]:
    """Return every engine that any worker ever had, by name."""
    seen = (models.c.seen_at > sql.now() - sql.make_interval(0, 0, 0, 0, 0, 0, 30)).label("is_seen")
    columns = [models.c[name] for name in Model.__slots__ if name != "is_seen"]
    return [Model(**row._asdict()) for row in await session.execute(select(*columns, seen).order_by(models.c.id))]
