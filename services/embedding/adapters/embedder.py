from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors: TypeAlias = NDArray[np.float32]
else:
    Vectors = object
    """float32, one row a text; at run time no more than a name, so that numpy stays unloaded until it is needed."""


class Embedder(Protocol):
    """Turns text into vectors whose dot product says how close two texts are in meaning."""

    @property
    def model_id(self) -> str:
        """Names the model; vectors of different models are not comparable."""

    @property
    def dimensions(self) -> int: ...

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """One row of length 1 for each text, in their order: shape (len(texts), dimensions).

        The same text gives the same row, alone or among others, to within 1e-5. Text beyond the model's window
        has no influence; blank text has a vector too.

        Raises EmbeddingRefused or EmbeddingUnavailable, see domain.
        """

    async def close(self) -> None:
        """Give back threads and connections; nothing may be embedded afterwards."""
