"""Engines that refuse, and engines that do not end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from libs.speech.engine import RenderJob, SpeechError

DEADLY = "This text is deadly."


def failing(times: int, error: SpeechError, of: str = DEADLY) -> Callable[[RenderJob], Awaitable[None]]:
    """Return what refuses a text so many times."""
    left = times

    async def refuse(job: RenderJob) -> None:
        nonlocal left
        if of in job.text and left:
            left -= 1
            raise error

    return refuse


class Stuck:
    """An engine's work that does not end until it is let go."""

    def __init__(self, of: str = "") -> None:
        self.of = of
        self.begun = asyncio.Event()
        self.canceled = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def __call__(self, job: RenderJob) -> None:
        if self.of not in job.text:
            return
        self.begun.set()
        try:
            await self.may_go_on.wait()
        except asyncio.CancelledError:
            self.canceled.set()
            raise
