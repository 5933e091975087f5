"""OpenAI's `/v1/models`, `/v1/embeddings`, and the list of voices that its self-hosted peers have added."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from libs.web import asks, told
from services.gateway.adapters.asking import Asking
from services.gateway.api.parts import AskingOf
from services.gateway.api.problems import unknown_model
from services.gateway.domain.failures import InvalidField, UnknownModel
from services.gateway.domain.openai import speech

router = APIRouter()

UNKNOWN = told(unknown_model(UnknownModel("gpt-4o")))

INPUTS_MAX = 256
"""Texts of one request; at 24 full ones a second on one core, what can be waited for."""


class Model(BaseModel):
    """A model as OpenAI's clients see it."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[Model]


class NamedVoice(BaseModel):
    """A voice that `voice` may name."""

    id: str
    name: str
    language: str


class VoiceList(BaseModel):
    """All voices that can be spoken with, and OpenAI's names."""

    voices: list[NamedVoice]


class EmbeddingRequest(BaseModel):
    """What OpenAI's clients send to have texts embedded."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(min_length=1, max_length=100, examples=["text-embedding-3-small"])
    input: str | list[str] | list[int] | list[list[int]] = Field(examples=["The tale of the lighthouse"])
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, ge=1)

    def texts(self) -> Sequence[str]:
        """Return the texts; raises InvalidField."""
        given = [self.input] if isinstance(self.input, str) else self.input
        texts = [one for one in given if isinstance(one, str) and one]
        if len(texts) < len(given) or not texts:
            raise InvalidField("input", "is to be a text or a list of texts, none of them empty, and no tokens")
        if len(texts) > INPUTS_MAX:
            raise InvalidField("input", f"has {len(texts)} texts; at most {INPUTS_MAX} are taken at once")
        return texts


class Embedding(BaseModel):
    """The vector of one text: numbers, or their 32-bit floats (little-endian) in Base64."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    """Characters: what is metered here, where OpenAI counts tokens."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(BaseModel):
    """The vectors, in the order of the texts."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


@router.get("/openai/v1/models", openapi_extra=asks("generation GET /v1/models"))
async def list_models(asking: AskingOf) -> ModelList:
    """List OpenAI's names of models that are understood here, and the engines."""
    return ModelList(data=[Model(**one) for one in await _models(asking)])


@router.get("/openai/v1/models/{model}", responses=UNKNOWN, openapi_extra=asks("generation GET /v1/models"))
async def get_model(model: Annotated[str, Path(examples=["tts-1"])], asking: AskingOf) -> Model:
    """Return one model."""
    for one in await _models(asking):
        if one["id"] == model:
            return Model(**one)
    raise UnknownModel(model)


async def _models(asking: Asking) -> list[dict[str, Any]]:  # Any: JSON
    engines = await asking.json("GET", "generation", "/v1/models")
    embedding = await asking.json("GET", "embedding", "/internal/embeddings/model")
    return speech.models(engines["items"], embedding["model"])


@router.get("/openai/v1/audio/voices", openapi_extra=asks("voice GET /v1/voices"))
@router.get("/v1/audio/voices", include_in_schema=False)
async def list_voices(asking: AskingOf) -> VoiceList:
    """List the voices that `voice` may name: OpenAI's, and those of the library by id and name."""
    voices = [NamedVoice(id=name, name=name, language="en") for name in speech.VOICE_IDS]
    cursor: str | None = None
    while True:
        query = {"limit": 100} | ({"cursor": cursor} if cursor else {})
        page = await asking.json("GET", "voice", f"/v1/voices?{urlencode(query)}", template="/v1/voices")
        voices += [NamedVoice(id=one["id"], name=one["name"], language=one["language"]) for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return VoiceList(voices=voices)


@router.post("/openai/v1/embeddings", responses=UNKNOWN, openapi_extra=asks("embedding POST /v1/search"))
@router.post("/v1/embeddings", include_in_schema=False)
async def create_embeddings(wanted: EmbeddingRequest, asking: AskingOf) -> EmbeddingList:
    """Embed texts with the installation's one model, which OpenAI's names mean, too."""
    texts = wanted.texts()
    made = await asking.json("POST", "embedding", "/internal/embeddings", document={"input": texts})
    if wanted.model != made["model"] and wanted.model not in speech.EMBEDDING_MODELS:
        raise UnknownModel(wanted.model)
    dimensions: int = made["dimensions"]
    if wanted.dimensions not in (None, dimensions):
        raise InvalidField("dimensions", f"{made['model']} has {dimensions}; leave it out or ask for as many")
    vectors = base64.b64decode(made["vectors"])
    size = 4 * dimensions
    rows = [vectors[begin : begin + size] for begin in range(0, len(vectors), size)]
    characters = sum(map(len, texts))
    return EmbeddingList(
        data=[
            Embedding(index=index, embedding=_written(row, wanted.encoding_format)) for index, row in enumerate(rows)
        ],
        model=made["model"],
        usage=EmbeddingUsage(prompt_tokens=characters, total_tokens=characters),
    )


def _written(row: bytes, encoding: Literal["float", "base64"]) -> list[float] | str:
    return base64.b64encode(row).decode() if encoding == "base64" else array("f", row).tolist()
