"""What deps hold that no history moves."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)


async def no_signal(_gone: str) -> None:
    """Nobody is asked for audio."""
