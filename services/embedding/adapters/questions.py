"""The vectors of what is asked for: people ask the same again, page by page and word by word."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from services.embedding.adapters.embedder import Embedder

KEPT: Final = 2_000
"""Vectors that are kept, of 1.5 KB each."""


class Questions:
    """Embeds questions, and remembers those that were asked last, with their texts, in memory only."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self._known: OrderedDict[tuple[str, int, str], NDArray[np.float32]] = OrderedDict()

    async def embed(self, embedder: Embedder, question: str) -> NDArray[np.float32]:
        """Return the vector of a question; raises what the embedder raises."""
        key = embedder.model_id, embedder.dimensions, question
        known = self._known.get(key)
        if known is None:
            # A copy: a row would keep the whole batch that it came with.
            known = (await embedder.embed([question]))[0].copy()
            self._known[key] = known
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return known
