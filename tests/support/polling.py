"""Waiting for a condition with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Value = TypeVar("Value")


async def eventually(
    probe: Callable[[], Awaitable[Value]], *, within: float = 10.0, every: float = 0.02, what: str = "the condition"
) -> Value:
    """Return the first truthy value of `probe`; fail after `within` seconds, saying what was seen last."""
    deadline = time.monotonic() + within
    while True:
        value = await probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {within} s; last seen: {value!r}")
        await asyncio.sleep(every)
