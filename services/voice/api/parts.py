"""What the routes take."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from services.voice.usecases import Deps


async def _deps(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


DepsOf = Annotated[Deps, Depends(_deps)]
