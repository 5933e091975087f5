"""Writing what concurrent events bring, together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from uuid import UUID

from services.embedding import domain
from services.embedding.adapters import Vectors


@dataclass(frozen=True, slots=True)
class Entry:
    """A source with its vectors by index, as an event brought it: to `consumer`, in the trace of `context`."""

    source: domain.Source
    pieces: Sequence[domain.Piece]
    vectors: Mapping[int, Vectors]
    consumer: str
    event_id: UUID
    context: Context


class Filing:
    """Writes what concurrent events bring together.

    What comes alone is written at once, and what comes while that is under way together after it: nobody waits for
    company.
    """

    def __init__(self) -> None:
        """Nothing is to be written yet."""
        self._waiting: list[tuple[Entry, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def file(self, entry: Entry, write: Callable[[Sequence[Entry]], Awaitable[None]]) -> None:
        """Return once `entry` is written. Raises what `write` raises of it alone."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, done))
        if self._writing is None:
            # In a context of its own: it outlives whoever comes first.
            self._writing = asyncio.create_task(self._write(write), context=Context())
        await done

    async def _write(self, write: Callable[[Sequence[Entry]], Awaitable[None]]) -> None:
        try:
            while self._waiting:
                await self._write_some(self._next(), write)
        finally:
            self._writing = None

    def _next(self) -> dict[domain.SourceKey, tuple[Entry, asyncio.Future[None]]]:
        """Take what waits, of each source the first; who gave up meanwhile is left out."""
        chosen: dict[domain.SourceKey, tuple[Entry, asyncio.Future[None]]] = {}
        rest = []
        for entry, done in self._waiting:
            if done.done():
                continue
            if entry.source.key in chosen:
                rest.append((entry, done))
            else:
                chosen[entry.source.key] = entry, done
        self._waiting = rest
        return chosen

    async def _write_some(
        self,
        chosen: dict[domain.SourceKey, tuple[Entry, asyncio.Future[None]]],
        write: Callable[[Sequence[Entry]], Awaitable[None]],
    ) -> None:
        if not chosen:
            return
        try:
            await write([entry for entry, _ in chosen.values()])
        except Exception as error:  # noqa: BLE001 - whoever brought it has to hear of it
            if len(chosen) > 1:
                # It may be for one of them.
                for key, one in chosen.items():
                    await self._write_some({key: one}, write)
                return
            ((_, done),) = chosen.values()
            if not done.done():
                done.set_exception(error)
        else:
            for _, done in chosen.values():
                if not done.done():
                    done.set_result(None)
