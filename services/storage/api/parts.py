"""What routes take as parameters, and what they say of files."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from libs.web import FILE_CONDITIONS
from services.storage.usecases import Deps

PRIVATE = "private, max-age=3600"
NOT_KEPT = "private, no-store"
CONDITIONAL = {"parameters": FILE_CONDITIONS}


async def _deps(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


DepsOf = Annotated[Deps, Depends(_deps)]
