"""ElevenLabs' forced alignment: when a text is heard in a recording of it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.gateway.adapters.forms import PassedForm
from services.gateway.api.elevenlabs.forms import form_schema
from services.gateway.api.parts import AskingOf, asked_of
from services.gateway.api.streams import RequestBody
from services.gateway.domain.routes import UPLOAD_SECONDS

router = APIRouter()

_FORM = form_schema(
    required=["file", "text"],
    file={"type": "string", "format": "binary", "description": "Any common audio."},
    text={"type": "string", "minLength": 1, "maxLength": 5000, "example": "Hello, world."},
)


class Character(BaseModel):
    """When a character is heard, in seconds."""

    text: str = Field(examples=["H"])
    start: float = Field(examples=[0.0])
    end: float = Field(examples=[0.08])


class Word(Character):
    """When a word is heard, in seconds."""

    loss: float = Field(examples=[0.17])


class Alignment(BaseModel):
    """When the text is heard; `loss` is 0 where the recording has its sounds, and 1 where it has none of them."""

    characters: list[Character]
    words: list[Word]
    loss: float = Field(examples=[0.17])


@router.post("/v1/forced-alignment", openapi_extra=_FORM)
async def elevenlabs_forced_alignment(request: Request, asking: AskingOf) -> Alignment:
    """Find when each character and word of a text is heard in a recording (multipart: `file`, `text`)."""
    form = PassedForm(
        RequestBody(request.receive, asked_of(request).route.body_bytes), request.headers.get("content-type", ""), ()
    )
    headers = [(name, request.headers[name]) for name in ("content-type", "content-length") if name in request.headers]
    found: dict[str, Any] = await asking.json(
        "POST", "voice", "/v1/alignments", body=form, headers=headers, answer_seconds=UPLOAD_SECONDS
    )  # Any: JSON
    loss = min(1.0, max(0.0, 1.0 - found["agreement"]))
    characters = zip(found["characters"], found["start_times"], found["end_times"], strict=True)
    return Alignment(
        characters=[Character(text=one, start=start, end=end) for one, start, end in characters],
        # One loss for all: the recording is compared as a whole.
        words=[Word(text=one["text"], start=one["start"], end=one["end"], loss=loss) for one in found["words"]],
        loss=loss,
    )
