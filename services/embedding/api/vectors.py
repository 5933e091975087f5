"""Vectors of texts, for a client who wants them."""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from libs.web import CallerOf
from services.embedding import usecases
from services.embedding.api.parts import DepsOf

router = APIRouter()

INPUTS_MAX = 256
"""Texts that are embedded in one request."""


class Texts(BaseModel):
    """Texts to embed."""

    model_config = ConfigDict(extra="forbid")

    input: list[Annotated[str, Field(min_length=1)]] = Field(min_length=1, max_length=INPUTS_MAX)


class ModelView(BaseModel):
    """The model that searches go by."""

    model: str
    dimensions: int


class VectorsView(ModelView):
    """The texts' vectors, one after another: 32-bit floats, little-endian, in Base64."""

    vectors: str


@router.get("/internal/embeddings/model", include_in_schema=False)
async def get_model(_caller: CallerOf, deps: DepsOf) -> ModelView:
    """Say which model embeds."""
    index, _ = await usecases.model_to_search(deps)
    return ModelView(model=index.model_id, dimensions=index.dimensions)


@router.post("/internal/embeddings", include_in_schema=False)
async def embed(texts: Texts, _caller: CallerOf, deps: DepsOf) -> VectorsView:
    """Embed texts for a client, who gets their vectors; nothing is kept."""
    index, embedder = await usecases.model_to_search(deps)
    vectors = await embedder.embed(texts.input)
    content = base64.b64encode(vectors.astype("<f4").tobytes()).decode()
    return VectorsView(model=index.model_id, dimensions=index.dimensions, vectors=content)
