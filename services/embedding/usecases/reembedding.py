"""Changing the model: everything is embedded anew in the background, and searches change over at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg
from opentelemetry import metrics

from libs.database import is_database_away
from libs.ids import SYSTEM_ORG
from services.embedding import domain
from services.embedding.adapters import Embedder
from services.embedding.store import indexes
from services.embedding.usecases.deps import Deps
from services.embedding.usecases.models import embedder_of
from services.embedding.usecases.vectors import embed_texts

logger = logging.getLogger(__name__)

BATCH: Final = 128
"""Chunks that are embedded together, and lost at most when the process is."""
LOOK_SECONDS: Final = 1.0
PAUSE_SECONDS, PAUSE_MOST_SECONDS = 1.0, 60.0
"""How long a model that cannot be reached is left alone, at first and at most."""
TELL_SECONDS: Final = 10.0
_FIRST = UUID(int=0)

_meter = metrics.get_meter("antiphon.embedding")
_vectors = _meter.create_gauge("antiphon.embedding.index.vectors", description="Vectors that an index has")
_chunks = _meter.create_gauge("antiphon.embedding.index.chunks", description="Vectors that it has when it is whole")

Leading = Callable[[], AbstractAsyncContextManager[Callable[[], bool]]]
"""Waits until no other process does it; what it yields says whether that is still so."""


@dataclass(slots=True)
class Reembedding:
    """Fills the index that is wanted, changes over to it, and drops those that nobody has needed for `keep`.

    Every process runs one, and one of them leads.
    """

    deps: Deps
    leading: Leading
    keep: timedelta
    _told_at: float = field(default=float("-inf"))

    async def run(self) -> None:
        """Run until cancelled; survives losing the database and the models."""
        while True:
            try:
                if await self._wanted() is not None:
                    async with self.leading() as leads:
                        while leads() and await self.look_after():  # noqa: ASYNC110 - what is due is others' doing
                            await asyncio.sleep(LOOK_SECONDS)
                await asyncio.sleep(LOOK_SECONDS)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if isinstance(error, asyncpg.PostgresError) and not is_database_away(error):
                    raise
                logger.warning("re-embedding interrupted", extra={"error": type(error).__name__})
                await asyncio.sleep(PAUSE_SECONDS)

    async def look_after(self) -> bool:
        """Do what is due: fill, change over, drop. False if this process does not have the model that is wanted."""
        found = await self._wanted()
        if found is None:
            return False
        wanted, embedder = found
        if not wanted.is_active:
            await self._fill(wanted, embedder)
            if await change_over(self.deps, wanted):
                logger.info("searches have changed over", extra={"model": wanted.model_id, "index": wanted.id})
                await self._tell(wanted)
        for index in domain.expired(await self._list(), self.deps.clock(), self.keep):
            await self._drop(index)
        return True

    async def _wanted(self) -> tuple[domain.Index, Embedder] | None:
        """Return the index that is wanted and its model, if this process has it: one with the settings of before, which
        has not, must not stand in the way of those that have.
        """
        wanted = next((one for one in await self._list() if one.is_wanted), None)
        embedder = embedder_of(self.deps, wanted) if wanted is not None else None
        return None if wanted is None or embedder is None else (wanted, embedder)

    async def _fill(self, index: domain.Index, embedder: Embedder) -> None:
        """Give every chunk a vector; a crash loses the batch that was being made."""
        pause = PAUSE_SECONDS
        error: str | None = index.error
        async for gaps in self._gaps(index):
            while True:
                try:
                    await fill(self.deps, index, embedder, gaps)
                    break
                except domain.EmbeddingError as failure:
                    if str(failure) != error:
                        error = str(failure)
                        logger.warning("nothing can be embedded anew", extra={"model": index.model_id, "error": error})
                        await self._set_error(index, error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, PAUSE_MOST_SECONDS)
                    if not await self._is_wanted(index):
                        return
            if error is not None:
                error, pause = None, PAUSE_SECONDS
                await self._set_error(index, None)
            await self._tell_now_and_then(index)

    async def _gaps(self, index: domain.Index) -> AsyncIterator[list[tuple[UUID, UUID | None]]]:
        """Yield chunks without a vector, in batches, once each, while the index is wanted."""
        after = _FIRST
        while await self._is_wanted(index):
            async with self.deps.database.transaction() as session:
                gaps = await indexes.list_gaps(session, index, after, BATCH)
            if not gaps:
                return
            yield gaps
            after = gaps[-1][0]

    async def _list(self) -> list[domain.Index]:
        async with self.deps.database.transaction() as session:
            return await indexes.list_indexes(session)

    async def _is_wanted(self, index: domain.Index) -> bool:
        return any(one.id == index.id and one.is_wanted and not one.is_active for one in await self._list())

    async def _set_error(self, index: domain.Index, error: str | None) -> None:
        async with self.deps.database.transaction() as session:
            await indexes.set_error(session, index, error)

    async def _tell_now_and_then(self, index: domain.Index) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= TELL_SECONDS:
            self._told_at = now
            await self._tell(index)

    async def _tell(self, index: domain.Index) -> None:
        async with self.deps.database.transaction() as session:
            counts = await indexes.count_vectors(session)
        vectors, chunks = counts.get(index.id, (0, 0))
        attributes: dict[str, str | int] = {"antiphon.model": index.model_id, "antiphon.dimensions": index.dimensions}
        _vectors.set(vectors, attributes)
        _chunks.set(chunks, attributes)
        logger.info("embedded anew", extra={"model": index.model_id, "vectors": vectors, "chunks": chunks})

    async def _drop(self, index: domain.Index) -> None:
        try:
            async with self.deps.database.transaction(holding=indexes.CHANGING) as session:
                gone = await indexes.drop_index(session, index)
        except asyncpg.LockNotAvailableError:
            return  # searches go first; it is tried again
        if gone:
            logger.info("index dropped", extra={"model": index.model_id, "index": index.id})


async def fill(deps: Deps, index: domain.Index, embedder: Embedder, gaps: list[tuple[UUID, UUID | None]]) -> int:
    """Embed chunks, given by id and owner, for an index; return how many have got their vector.

    Raises EmbeddingRefused and EmbeddingUnavailable.
    """
    owners = sorted({org_id or SYSTEM_ORG for _, org_id in gaps})
    async with deps.database.transaction(*owners) as session:
        contents = await indexes.list_contents(session, [chunk_id for chunk_id, _ in gaps])
    keys = {chunk_id: (org_id, domain.content_hash(content)) for chunk_id, org_id, content in contents}
    texts = {keys[chunk_id]: content for chunk_id, _, content in contents}
    vectors = await embed_texts(deps, index, embedder, texts)
    async with deps.database.transaction(*owners, holding=indexes.WRITING) as session:
        return await indexes.fill_gaps(session, index, [(chunk_id, vectors[key]) for chunk_id, key in keys.items()])


async def change_over(deps: Deps, index: domain.Index) -> bool:
    """Have an index searched from now on if it is whole and still wanted; False if not."""
    async with deps.database.transaction(holding=indexes.CHANGING) as session:
        known = await indexes.list_indexes(session)
        if not any(one.id == index.id and one.is_wanted and not one.is_active for one in known):
            return False
        # Nobody keeps chunks meanwhile: what is whole now is whole when it is searched.
        if await indexes.list_gaps(session, index, _FIRST, 1):
            return False
        await indexes.activate(session, index)
    deps.known.forget()
    return True
