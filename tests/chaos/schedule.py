"""What goes wrong when: a pure function of a seed, so that a run can be had again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["kill", "pause", "blackhole", "reset", "slow"]

SERVICES = ("gateway", "voice", "generation", "worker", "storage", "embedding", "analytics")
SERVERS = ("nats", "postgres", "s3")
PROCESSES = (*SERVICES, *SERVERS)
LINKS: tuple[Kind, ...] = ("blackhole", "reset", "slow")
SHORTEST = 30.0
"""Seconds that a run must last at least to have room for every process and every kind of fault."""
_QUIET = 0.85
"""The share of the time in which faults begin; what is left is for the last of them to end."""
_PER_SECOND = 0.5
_PAUSES = (0.5, 1.0, 3.0, 12.0)
"""Seconds: the longest outlasts the broker's patience, so that what is paused finds its work done by others."""
_CUTS = (0.5, 2.0, 6.0)


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that goes wrong: `at` seconds after the beginning, for `lasts` seconds; a kill lasts no time."""

    at: float
    kind: Kind
    target: str
    lasts: float

    def __str__(self) -> str:
        """Say it in a line."""
        length = f" for {self.lasts:g} s" if self.lasts else ""
        return f"{self.at:6.1f} s  {self.kind} {self.target}{length}"


def schedule(seed: int, seconds: float) -> list[Fault]:
    """Return the faults of a run: every process is killed and every kind of fault occurs at least once."""
    if seconds < SHORTEST:
        raise ValueError(f"a run of {seconds:g} s has no room for every fault; {SHORTEST:g} s are the least")
    source = random.Random(seed)
    wanted: list[tuple[Kind, str]] = [("kill", process) for process in PROCESSES]
    wanted += [(link, source.choice(SERVERS)) for link in LINKS]
    wanted.append(("pause", source.choice(PROCESSES)))
    while len(wanted) < seconds * _PER_SECOND:
        kind: Kind = source.choices(("kill", "pause", *LINKS), weights=(5, 2, 1, 1, 1))[0]
        wanted.append((kind, source.choice(SERVERS if kind in LINKS else PROCESSES)))
    source.shuffle(wanted)
    times = sorted(source.uniform(1.0, seconds * _QUIET) for _ in wanted)
    return [
        Fault(round(at, 1), kind, target, _length(source, kind, seconds))
        for at, (kind, target) in zip(times, wanted, strict=True)
    ]


def _length(source: random.Random, kind: Kind, seconds: float) -> float:
    lengths: Sequence[float] = (0.0,) if kind == "kill" else _PAUSES if kind == "pause" else _CUTS
    return min(source.choice(lengths), seconds / 5)
