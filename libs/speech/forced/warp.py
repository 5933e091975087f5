"""Dynamic time warping in memory and time that grow with the length of the recordings, not with its square.

The path is found on coarse averages first, then again on finer ones, each time only near the path before.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_COARSER: Final = 4
_FACTORS: Final = (_COARSER**2, _COARSER, 1)
"""How many frames are averaged, coarsest first; pauses and words are told apart best over 80 ms."""
_WIDEST: Final = 2000
"""Frames left and right of the diagonal at the coarsest level: 160 s at 16 frames of 5 ms."""
_RADIUS: Final = 12
"""Frames left and right of the coarser level's path that a finer one looks at, in frames of the coarser one."""
_STEP_COST: Final = 0.1
"""What standing still in one of the recordings costs; 1.41 is the distance of unrelated frames."""

_DIAGONAL, _ALONG, _DOWN = 0, 1, 2


class Path(NamedTuple):
    """Pairs of frames, each at most one further than the pair before; `cost` is the mean distance of a pair."""

    reference: NDArray[np.intp]
    other: NDArray[np.intp]
    cost: float


def warp(reference: NDArray[np.float32], other: NDArray[np.float32]) -> Path:
    """The monotone path from the first to the last frame of both, frames x coefficients each, at least one frame.

    Costs are root mean square differences of coefficients: 1.41 is what unrelated normalised features have.
    """
    path: Path | None = None
    for factor in _FACTORS:
        rows, columns = _averaged(reference, factor), _averaged(other, factor)
        low, high = _wide_band(len(rows), len(columns)) if path is None else _band_around(path, len(rows), len(columns))
        path = _best_path(rows, columns, low, high)
    assert path is not None
    return path


def _averaged(frames: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    if factor == 1:
        return frames
    missing = -len(frames) % factor
    padded = np.pad(frames, ((0, missing), (0, 0)), mode="edge")
    averaged: NDArray[np.float32] = padded.reshape(-1, factor, frames.shape[1]).mean(axis=1)
    return averaged


def _wide_band(rows: int, columns: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The columns, from `low` to before `high`, that every row looks at around the diagonal."""
    centre = np.arange(rows, dtype=np.float64) * (columns / rows)
    return _closed(centre - _WIDEST, centre + _WIDEST, columns)


def _band_around(path: Path, rows: int, columns: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    coarse_rows = path.reference[-1] + 1
    first, last = np.full(coarse_rows, np.inf), np.full(coarse_rows, -np.inf)
    np.minimum.at(first, path.reference, path.other)
    np.maximum.at(last, path.reference, path.other)
    low = np.repeat((first - _RADIUS) * _COARSER, _COARSER)[:rows]
    high = np.repeat((last + _RADIUS + 1) * _COARSER, _COARSER)[:rows]
    return _closed(low, high, columns)


def _closed(
    low: NDArray[np.float64], high: NDArray[np.float64], columns: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The band within the columns, with both corners in it."""
    lower = np.clip(low, 0, columns - 1).astype(np.intp)
    upper = np.clip(high, lower + 1, columns).astype(np.intp)
    lower[0], upper[-1] = 0, columns
    return lower, upper


def _best_path(
    rows: NDArray[np.float32], columns: NDArray[np.float32], low: NDArray[np.intp], high: NDArray[np.intp]
) -> Path:
    """Row by row. Moving along a row is a running minimum once the row's own costs are summed up."""
    width = rows.shape[1]
    row_squares, column_squares = (np.einsum("ij,ij->i", part, part) / width for part in (rows, columns))
    scaled = columns * np.float32(2 / width)
    offsets = np.concatenate(([0], np.cumsum(high - low)))
    moves = np.empty(offsets[-1], np.uint8)
    before = np.full(len(columns) + 1, np.inf)  # costs of the row above, one further right
    before[0] = 0.0
    bounds = list(zip(low.tolist(), high.tolist(), offsets.tolist(), strict=False))
    for row, (left, right, offset) in enumerate(bounds):
        squares = column_squares[left:right] + row_squares[row] - scaled[left:right] @ rows[row]
        costs = np.sqrt(np.maximum(squares, 0, dtype=np.float64))
        down = before[left + 1 : right + 1] + _STEP_COST
        diagonal = before[left:right]
        straight = np.minimum(down, diagonal) + costs
        sums = np.cumsum(costs + _STEP_COST)
        entered = straight - sums
        best = np.minimum.accumulate(entered)
        moves[offset : offset + right - left] = np.where(entered > best, _ALONG, np.where(down < diagonal, _DOWN, 0))
        before[left + 1 : right + 1] = best + sums
        before[: left + 1] = np.inf
    return _traced(moves, low.tolist(), offsets.tolist(), len(columns), float(before[-1]))


def _traced(moves: NDArray[np.uint8], low: list[int], offsets: list[int], columns: int, total: float) -> Path:
    """Back from the last pair to the first."""
    row, column = len(low) - 1, columns - 1
    reference, other = [row], [column]
    while row or column:
        move = moves[offsets[row] + column - low[row]] if row else _ALONG
        row -= move != _ALONG
        column -= move != _DOWN
        reference.append(row)
        other.append(column)
    return Path(np.array(reference[::-1]), np.array(other[::-1]), total / len(reference))
