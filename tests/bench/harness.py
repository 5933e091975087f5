"""The one harness for all figures: rows with medians, targets and a verdict, as a table and as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

OUTPUT = Path(__file__).resolve().parents[2] / ".bench"


@dataclass(frozen=True)
class Row:
    """One figure. `target` says what must hold of `value` (or of `ratio`, where there is a baseline)."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    target: str | None = None
    holds: bool | None = None
    spread: str = ""


def row(
    name: str,
    samples: Sequence[float],
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    baseline: Sequence[float] | None = None,
) -> Row:
    """Make a row of the median of `samples`; with a `baseline` the bounds hold for the ratio of the medians."""
    value = statistics.median(samples)
    base = statistics.median(baseline) if baseline else None
    ratio = value / base if base else None
    judged = ratio if ratio is not None else value
    target: str | None = None
    holds: bool | None = None
    if at_most is not None:
        target, holds = f"<= {at_most:g}", judged <= at_most
    elif at_least is not None:
        target, holds = f">= {at_least:g}", judged >= at_least
    ordered = sorted(samples)
    spread = f"{_short(ordered[0])}-{_short(ordered[-1])} of {len(ordered)}" if len(ordered) > 1 else ""
    return Row(name, value, unit, base, ratio, target, holds, spread)


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0-1) of the samples lie."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def report(suite: str, rows: Sequence[Row]) -> bool:
    """Print the table, write `.bench/<suite>.json`, and return whether every target holds."""
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / f"{suite}.json").write_text(json.dumps([asdict(one) for one in rows], indent=1) + "\n")
    widths = (46, 12, 8, 22, 9, 10, 6)
    print(_line(("what", "median", "unit", "spread", "ratio", "target", "holds"), widths))
    for one in rows:
        ratio = f"{one.ratio:.2f}" if one.ratio is not None else ""
        verdict = "" if one.holds is None else ("yes" if one.holds else "NO")
        print(_line((one.name, _short(one.value), one.unit, one.spread, ratio, one.target or "", verdict), widths))
    return all(one.holds is not False for one in rows)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
