"""Indexes of vectors, one a model, and which of them is searched and written to. Pure."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

MOST_DIMENSIONS = 4_000
"""Of what HNSW takes as 16-bit numbers (pgvector)."""

ModelKey = tuple[str, int]
"""A model's name and the dimensions of its vectors: only vectors of which both are equal can be compared."""


@dataclass(frozen=True, slots=True)
class Index:
    """The vectors of one model.

    The active one is searched, and has a vector of every chunk. The wanted one is, or becomes, the active one. `error`
    is why it does not get on; `idle_since` is when it ceased to be the active or the wanted one.
    """

    id: int
    model_id: str
    dimensions: int
    is_active: bool = False
    is_wanted: bool = False
    was_active: bool = False
    error: str | None = None
    idle_since: datetime | None = None

    @property
    def model(self) -> ModelKey:
        """The model that makes its vectors."""
        return self.model_id, self.dimensions

    @property
    def name(self) -> str:
        """As people are told of it."""
        return f"{self.model_id} ({self.dimensions} dimensions)"


def searched(indexes: Sequence[Index], known: Container[ModelKey]) -> Index | None:
    """Return the index to search for somebody who has the models `known`: the active one.

    A process with the settings of before does not know the model that others have changed to. Until it is replaced it
    searches the index that they left last, which is whole as of then.
    """
    usable = [one for one in indexes if one.model in known]
    active = next((one for one in usable if one.is_active), None)
    left = [one for one in usable if one.was_active and one.idle_since is not None]
    return active or max(left, key=_left_at, default=None)


def written(indexes: Sequence[Index]) -> list[Index]:
    """Return the indexes that get what is new: the active one, first, and the one that is to become it."""
    return sorted((one for one in indexes if one.is_active or one.is_wanted), key=lambda one: not one.is_active)


def expired(indexes: Sequence[Index], now: datetime, keep: timedelta) -> list[Index]:
    """Return the indexes that nobody has needed for so long that they are dropped."""
    return [one for one in indexes if one.idle_since is not None and one.idle_since + keep <= now]


def _left_at(index: Index) -> datetime:
    assert index.idle_since is not None
    return index.idle_since
