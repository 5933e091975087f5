"""Which model a text is embedded with: that of the index which it is kept in, or looked for."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.messaging import Unavailable
from services.embedding import domain
from services.embedding.store import indexes
from services.embedding.usecases.vectors import Making, embed_pieces

if TYPE_CHECKING:
    from services.embedding.adapters import Embedder, Vectors
    from services.embedding.usecases.deps import Deps

__all__ = ["KnownIndexes", "Making", "adopt_model", "embed_for_all", "embedder_of", "look", "model_to_search", "usable"]

logger = logging.getLogger(__name__)

KNOWN_SECONDS: Final = 1.0
"""How long it is not looked again which index is active: a search goes on in the one that was until then."""


@dataclass(slots=True)
class KnownIndexes:
    """The indexes as they were looked at last."""

    indexes: Sequence[domain.Index] = ()
    until: float = field(default=float("-inf"))

    def forget(self) -> None:
        """Have them looked at again."""
        self.until = float("-inf")


def embedder_of(deps: Deps, index: domain.Index) -> Embedder | None:
    """Return what embeds for an index, if this process has it."""
    return _embedders(deps).get(index.model)


async def look(deps: Deps) -> Sequence[domain.Index]:
    """Return the indexes, as of a second ago at most; the first one is made for the configured model."""
    known = deps.known
    if time.monotonic() >= known.until:
        async with deps.database.transaction() as session:
            known.indexes = await indexes.list_indexes(session)
            if not known.indexes:
                await indexes.want_index(session, deps.embedder.model_id, deps.embedder.dimensions)
                known.indexes = await indexes.list_indexes(session)
        known.until = time.monotonic() + KNOWN_SECONDS
    return known.indexes


async def adopt_model(deps: Deps) -> None:
    """Have the configured model's index become the one that is searched.

    Raises ModelChanged if another's is, and that model is needed until then and is not configured.
    """
    configured = deps.embedder
    async with deps.database.transaction(holding=indexes.CHANGING) as session:
        active = next((one for one in await indexes.list_indexes(session) if one.is_active), None)
        if active is not None and embedder_of(deps, active) is None:
            wanted = domain.Index(0, configured.model_id, configured.dimensions)
            same = active.model_id == wanted.model_id
            raise domain.ModelChanged(
                active.name if same else active.model_id, wanted.name if same else wanted.model_id
            )
        await indexes.want_index(session, configured.model_id, configured.dimensions)
    deps.known.forget()


async def model_to_search(deps: Deps) -> tuple[domain.Index, Embedder]:
    """Return the index to search, and what embeds a question for it. Raises EmbeddingUnavailable."""
    embedders = _embedders(deps)
    index = domain.searched(await look(deps), embedders)
    if index is None:
        raise domain.EmbeddingUnavailable("The model of the search index is not configured in this process.")
    return index, embedders[index.model]


async def embed_for_all(deps: Deps, org_id: UUID | None, pieces: Sequence[domain.Piece]) -> dict[int, Vectors]:
    """Return the pieces' vectors for the active index and for the one that is to become it, by the indexes' ids.

    Of the latter they may be missing: it is filled up in the background. Raises Unavailable and EmbeddingRefused.
    """
    made: dict[int, Vectors] = {}
    for index in domain.written(await look(deps)):
        embedder = embedder_of(deps, index)
        try:
            if embedder is None:
                raise domain.EmbeddingUnavailable(f"{index.name} is not configured in this process.")
            made[index.id] = await embed_pieces(deps, index, embedder, org_id, pieces)
        except domain.EmbeddingError as error:
            if not index.is_active:
                logger.info("left to the re-embedding", extra={"model": index.model_id, "error": type(error).__name__})
            elif isinstance(error, domain.EmbeddingUnavailable):
                raise Unavailable(str(error)) from error
            else:
                raise
    return made


async def usable(deps: Deps, session: AsyncSession, made: Mapping[int, Vectors]) -> dict[int, Vectors]:
    """Return those of `made` whose index is still there. The transaction began with `indexes.WRITING`.

    Raises Unavailable if another index has become the active one since they were made.
    """
    present = await indexes.list_indexes(session)
    if not any(one.is_active and one.id in made for one in present):
        deps.known.forget()
        raise Unavailable("The search index was changed meanwhile.")
    return {one.id: made[one.id] for one in present if one.id in made}


def _embedders(deps: Deps) -> dict[domain.ModelKey, Embedder]:
    return {(one.model_id, one.dimensions): one for one in (*deps.former, deps.embedder)}
