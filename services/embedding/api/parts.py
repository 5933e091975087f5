"""What routes take as parameters."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from pydantic import AfterValidator, Field

from services.embedding.domain import documents
from services.embedding.usecases import Deps


async def _deps(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


DepsOf = Annotated[Deps, Depends(_deps)]


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"has a NUL at character {text.index(chr(0))}; remove it")
    return text


Storable = Annotated[str, AfterValidator(_without_nul)]
"""Text that PostgreSQL can hold."""
MetadataKey = Annotated[Storable, Field(min_length=1, max_length=documents.METADATA_KEY_MAX_LENGTH)]
MetadataValue = Annotated[Storable, Field(max_length=documents.METADATA_VALUE_MAX_LENGTH)]
Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=documents.METADATA_MAX)]
