"""When a text is heard in a recording that a client brings along."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, Field, ValidationError

from libs.speech.captions.levels import Timed, word_times
from libs.speech.captions.words import words
from libs.speech.forced import LEAST_AGREEMENT
from libs.web import CallerOf, told
from services.voice import domain
from services.voice.api import problems
from services.voice.api.forms import Form, read_form
from services.voice.api.parts import DepsOf
from services.voice.domain.alignments import TEXT_MAX_LENGTH
from services.voice.usecases.aligning import align_recording

router = APIRouter()

FILE_FIELDS = ("file",)


def _spoken(text: str) -> str:
    if not any(character.isalnum() for character in text):
        raise ValueError("has nothing that is spoken")
    return text


class AlignmentForm(BaseModel):
    """What a recording says."""

    text: Annotated[str, AfterValidator(_spoken)] = Field(
        min_length=1, max_length=TEXT_MAX_LENGTH, examples=["Hello, world."], description="What the recording says."
    )
    language: Annotated[str, AfterValidator(domain.language_tag)] | None = Field(
        None, examples=["en-US"], description="The text's, a BCP 47 tag; found out from the text unless it is given."
    )


class WordView(BaseModel):
    """When a word is heard, in seconds; it is characters `start_index` to before `end_index` of the text."""

    text: str = Field(examples=["Hello"])
    start: float = Field(examples=[0.12])
    end: float = Field(examples=[0.44])
    start_index: int = Field(examples=[0])
    end_index: int = Field(examples=[5])


class AlignmentView(BaseModel):
    """When each character and each word of the text is heard, in seconds from the recording's beginning.

    `agreement` says how alike the recording and the text as our engine speaks it are: 1 the same sounds, 0 nothing in
    common. Where it is `doubtful`, the recording hardly says the text.
    """

    characters: list[str] = Field(examples=[["H", "i"]])
    start_times: list[float] = Field(examples=[[0.0, 0.08]])
    end_times: list[float] = Field(examples=[[0.08, 0.21]])
    words: list[WordView]
    duration_seconds: float = Field(examples=[1.92])
    language: str = Field(examples=["en-US"])
    agreement: float = Field(examples=[0.83])
    doubtful: bool = Field(examples=[False])


_SCHEMA = AlignmentForm.model_json_schema(ref_template="#/components/schemas/{model}")
_SCHEMA["properties"]["file"] = {
    "type": "string",
    "format": "binary",
    "title": "File",
    "description": "Any common audio, by its content: at most 20 MB and 10 minutes.",
    "examples": ["…"],
}
_SCHEMA["required"] = ["text", "file"]


def _checked(form: Form) -> AlignmentForm:
    """Return what the form asks for; raises RequestValidationError naming every field that is wrong."""
    errors: list[Any] = []  # Any: pydantic's own description of an error
    fields: AlignmentForm | None = None
    try:
        fields = AlignmentForm.model_validate(form.fields)
    except ValidationError as error:
        errors = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
    if len(form.files) != 1:
        kind = "missing" if not form.files else "too_many"
        errors.append({"type": kind, "loc": ("body", "file"), "msg": "One file is required", "input": None})
    if fields is None or errors:
        raise RequestValidationError(errors)
    return fields


@router.post(
    "/v1/alignments",
    responses=told(problems.TOO_LARGE, problems.NOT_MULTIPART),
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _SCHEMA}}}},
)
async def create_alignment(request: Request, _caller: CallerOf, deps: DepsOf) -> AlignmentView:
    """Find when each character and word of a text is heard in a recording of it. Nothing of either is kept.

    Any common audio is taken (wav, mp3, m4a, flac, ogg, webm), by its content, and up to 5,000 characters.
    """
    form = await read_form(request, FILE_FIELDS)
    fields = _checked(form)
    aligned, duration = await align_recording(deps, form.files[0], fields.text, fields.language)
    heard = word_times(fields.text, aligned.starts, aligned.ends, words(fields.text))
    return AlignmentView(
        characters=list(fields.text),
        start_times=list(aligned.starts),
        end_times=list(aligned.ends),
        words=[_word(one) for one in heard],
        duration_seconds=duration,
        language=aligned.language,
        agreement=max(0.0, aligned.agreement),
        doubtful=aligned.agreement < LEAST_AGREEMENT,
    )


def _word(timed: Timed) -> WordView:
    return WordView(**timed._asdict())
