"""The vectors of texts: made once of each text of an organisation in each model, and looked up ever after."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID

from libs.ids import SYSTEM_ORG
from services.embedding import domain
from services.embedding.store import documents
from services.embedding.store.documents import ContentKey

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from services.embedding.adapters import Embedder, Vectors
    from services.embedding.usecases.deps import Deps

REMEMBERED: Final = 1_000
"""Vectors that were made last, which may not be kept by the database yet."""


@dataclass(slots=True)
class Making:
    """What is being embedded, or was just now, so that nobody does it a second time."""

    _known: OrderedDict[tuple[int, ContentKey], asyncio.Future[NDArray[np.float32]]] = field(
        default_factory=OrderedDict
    )

    def begin(
        self, index: domain.Index, keys: Iterable[ContentKey]
    ) -> tuple[dict[ContentKey, asyncio.Future[NDArray[np.float32]]], list[ContentKey]]:
        """Return what is to be waited for of each text, and which of them it is now up to the caller to make."""
        awaited: dict[ContentKey, asyncio.Future[NDArray[np.float32]]] = {}
        mine: list[ContentKey] = []
        for key in keys:
            future = self._known.get((index.id, key))
            if future is None:
                future = asyncio.get_running_loop().create_future()
                self._known[index.id, key] = future
                mine.append(key)
            awaited[key] = future
        return awaited, mine

    def end(self, index: domain.Index, made: Mapping[ContentKey, NDArray[np.float32]]) -> None:
        """Give everybody what the caller has made."""
        for key, vector in made.items():
            self._known[index.id, key].set_result(vector)
        done = (name for name, future in self._known.items() if future.done())
        for name in [name for name, _ in zip(done, range(max(0, len(self._known) - REMEMBERED)), strict=False)]:
            del self._known[name]

    def give_up(self, index: domain.Index, keys: Iterable[ContentKey]) -> None:
        """Tell everybody that the caller could not make them; whoever asks next does it."""
        for key in keys:
            future = self._known.pop((index.id, key))
            future.set_exception(domain.EmbeddingUnavailable("the same text could not be embedded a moment ago"))
            future.exception()  # nobody may be waiting


async def embed_texts(
    deps: Deps, index: domain.Index, embedder: Embedder, texts: Mapping[ContentKey, str]
) -> dict[ContentKey, NDArray[np.float32]]:
    """Return the vectors of texts in an index: those that there are, and new ones of the others.

    Raises EmbeddingRefused and EmbeddingUnavailable.
    """
    awaited, mine = deps.making.begin(index, texts)
    if mine:
        try:
            async with deps.database.transaction(*{org_id or SYSTEM_ORG for org_id, _ in mine}) as session:
                made = await documents.list_known_vectors(session, index, mine)
            missing = [key for key in mine if key not in made]
            if missing:
                rows = await embedder.embed([texts[key] for key in missing])
                made |= {key: row.copy() for key, row in zip(missing, rows, strict=True)}
        except BaseException:
            deps.making.give_up(index, mine)
            raise
        deps.making.end(index, made)
    return {key: await asyncio.shield(future) for key, future in awaited.items()}


async def embed_pieces(
    deps: Deps, index: domain.Index, embedder: Embedder, org_id: UUID | None, pieces: Sequence[domain.Piece]
) -> Vectors:
    """Return one row for each piece; raises what `embed_texts` does."""
    import numpy as np

    keys = [(org_id, domain.content_hash(piece.content)) for piece in pieces]
    texts = {key: piece.content for key, piece in zip(keys, pieces, strict=True)}
    vectors = await embed_texts(deps, index, embedder, texts)
    made = np.empty((len(pieces), index.dimensions), np.float32)
    for row, key in enumerate(keys):
        made[row] = vectors[key]
    return made
