"""Statements of which there are many: compiled once, and executed by the driver itself.

SQLAlchemy takes several times as long over a statement as PostgreSQL does, each time that it is executed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from libs.database.engine import driver_of

_DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]


class Prepared:
    """A statement with its parameters by name: values and rows as SQLAlchemy takes and gives them.

    Errors are the driver's own. Lists of values are one parameter (`any_`), as `in_` changes the statement.
    """

    def __init__(self, statement: ClauseElement, *, columns: Sequence[str] | None = None) -> None:
        """`columns`: of an insert without values, those that are given when it is executed."""
        compiled = cast(
            "SQLCompiler",
            statement.compile(
                dialect=_DIALECT,
                column_keys=list(columns) if columns is not None else None,
            ),
        )
        if "POSTCOMPILE" in compiled.string:
            raise ValueError("a list of values changes the statement each time: say any_ instead of in_")
        self._sql = compiled.string
        self._names: Sequence[str] = compiled.positiontup or ()
        # Any: values of all types.
        self._constants: dict[str, Any] = {
            name: value for name, value in compiled.params.items() if not compiled.binds[name].required
        }
        self._processors: dict[str, Callable[[Any], Any]] = {}
        for name, bind in compiled.binds.items():
            process = bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
            if process is not None and name in compiled.params:
                self._processors[name] = process
                if name in self._constants:
                    self._constants[name] = process(self._constants[name])

    async def fetch(self, session: AsyncSession, **values: Any) -> list[asyncpg.Record]:  # Any: values of all types
        """Execute it in the transaction of `session`, and return its rows."""
        return await driver_of(session).fetch(self._sql, *self._arguments(values))

    async def fetch_one(self, session: AsyncSession, **values: Any) -> asyncpg.Record | None:  # Any: as above
        """Execute it in the transaction of `session`, and return its first row, if there is one."""
        return await driver_of(session).fetchrow(self._sql, *self._arguments(values))

    def _arguments(self, values: dict[str, Any]) -> list[Any]:
        given = self._constants | {
            name: process(value) if (process := self._processors.get(name)) is not None else value
            for name, value in values.items()
        }
        return [given[name] for name in self._names]
