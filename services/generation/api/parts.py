"""What the routes share: their dependencies, and ids as they come in paths."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from pydantic import Field

from libs.ids import parse_id
from services.generation.domain import errors
from services.generation.usecases import Deps


async def _deps(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


DepsOf = Annotated[Deps, Depends(_deps)]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


def generation_id(text: str) -> UUID:
    """Return the id of a generation; raises GenerationNotFound for what is none."""
    parsed = parse_id(text)
    if parsed is None:
        raise errors.GenerationNotFound
    return parsed


def dictionary_id(text: str) -> UUID:
    """Return the id of a dictionary; raises DictionaryNotFound for what is none."""
    parsed = parse_id(text)
    if parsed is None:
        raise errors.DictionaryNotFound
    return parsed
