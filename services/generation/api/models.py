"""The engines: what each can do, and whether it is there."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from libs.web import CallerOf
from services.generation.api.parts import DepsOf
from services.generation.store import models

router = APIRouter()


class ModelView(BaseModel):
    """An engine. `honours` are the parameters of a request that change what it speaks; it ignores all others."""

    id: str
    version: str
    ready: bool
    description: str = ""
    honours: list[str] = []
    languages: list[str] | None = None
    most_characters: int | None = None
    ssml: bool = False
    timings: str = ""
    custom_voices: str = ""


class ModelList(BaseModel):
    """All engines."""

    items: list[ModelView]
    next_cursor: None = None


def _view(model: models.Model) -> ModelView:
    fields: dict[str, Any] = {  # Any: what a worker wrote, checked by the view
        name: value for name, value in model.description.items() if name in ModelView.model_fields
    }
    return ModelView(**fields, id=model.id, version=model.version, ready=model.ready and model.is_seen)


@router.get("/v1/models")
async def list_models(_caller: CallerOf, deps: DepsOf) -> ModelList:
    """List the engines that speak, with what each honours, its languages and limits, and whether it is ready."""
    async with deps.database.transaction() as session:
        rows = await models.list_models(session)
    return ModelList(items=[_view(row) for row in rows])
