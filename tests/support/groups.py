"""The groups among which Linux shares the processors: one of each session, where it has them at all."""

from __future__ import annotations

from pathlib import Path


def nice_of_group(pid: int) -> int | None:
    """Return how nice the group of a process is; None where it belongs to none."""
    try:
        told = Path(f"/proc/{pid}/autogroup").read_text("ascii")
    except FileNotFoundError:
        return None
    return int(told.rpartition(" ")[2]) if told.strip() else None
