"""Requests and generations as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, ValidationInfo, field_validator

from libs.ids import parse_id
from libs.speech.encoding import parse_output_format
from libs.web import Storable
from services.generation.api.parts import Version
from services.generation.domain import errors, requests


def _speakable(text: str) -> str:
    if not text.strip():
        raise ValueError("is only white space; there is nothing to speak")
    return text


def fitting(text: str, mode: requests.Mode) -> str:
    """Return `text` if a request in this mode may have it; ValueError with what to do otherwise."""
    if mode == "interactive" and len(text) > requests.TEXT_MAX_LENGTH:
        raise ValueError(
            f"has {len(text)} characters; an interactive request may have {requests.TEXT_MAX_LENGTH}: "
            'send it with "mode": "job"'
        )
    return text


def _output_format(name: str) -> str:
    return parse_output_format(name).name


Speakable = Annotated[
    Storable, Field(min_length=1, max_length=requests.JOB_TEXT_MAX_LENGTH), AfterValidator(_speakable)
]
LanguageTag = Annotated[str, Field(pattern=r"^([A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*|auto)$", max_length=35)]


class DictionaryRef(BaseModel):
    """A version of a pronunciation dictionary; without `version` its newest."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(min_length=1, max_length=64, json_schema_extra={"format": "uuid"})
    version: Version | None = None


class NewGeneration(BaseModel):
    """A request for speech. Unknown fields are refused, so that a typing error does not pass silently."""

    model_config = ConfigDict(extra="forbid")

    mode: requests.Mode = Field(
        default="interactive", description="A job may have 1,000,000 characters and comes after all who wait."
    )
    text: Speakable = Field(
        description="At most 5,000 characters, or 1,000,000 of a job.", examples=["The sea was calm that night."]
    )
    voice_id: str = Field(min_length=1, max_length=64, json_schema_extra={"format": "uuid"})
    model_id: Storable | None = Field(
        default=None, max_length=100, description="Another engine than the voice's own; GET /v1/models lists them."
    )
    model_voice: Storable | None = Field(
        default=None, max_length=100, description="One of that engine's own voices; its first unless given."
    )
    input_type: requests.InputType = "text"
    language: LanguageTag | None = Field(
        default=None, description='A BCP 47 tag, or "auto" to have it detected; the voice\'s own unless given.'
    )
    format: Annotated[str, Field(max_length=40), AfterValidator(_output_format)] = Field(
        default="mp3", validate_default=True, description="mp3, wav, opus … or a full name such as mp3_44100_128."
    )
    speed: float | None = Field(strict=True, default=None, ge=0.25, le=4, allow_inf_nan=False)
    pitch: float | None = Field(
        strict=True,
        default=None,
        ge=requests.PITCH_RANGE[0],
        le=requests.PITCH_RANGE[1],
        allow_inf_nan=False,
        description="Semitones.",
    )
    volume: float | None = Field(
        strict=True, default=None, ge=requests.VOLUME_RANGE[0], le=requests.VOLUME_RANGE[1], allow_inf_nan=False
    )
    seed: int | None = Field(
        strict=True, default=None, ge=0, le=requests.SEED_MAX, description="The same audio every time."
    )
    temperature: float = Field(strict=True, default=0.8, ge=0, le=2, allow_inf_nan=False)
    top_p: float = Field(strict=True, default=0.95, ge=0, le=1, allow_inf_nan=False)
    top_k: int = Field(strict=True, default=1000, ge=1, le=10_000)
    repetition_penalty: float = Field(strict=True, default=1.2, ge=1, le=2, allow_inf_nan=False)
    dictionaries: list[DictionaryRef] = Field(default_factory=list, max_length=requests.DICTIONARIES_MAX)
    cache: StrictBool = Field(
        default=True, description="Whether equal requests and equal pieces of text may share audio."
    )

    @field_validator("text")
    @classmethod
    def _fits_its_mode(cls, text: str, info: ValidationInfo) -> str:
        return fitting(text, info.data.get("mode", "interactive"))

    # Any: id and version, or None for the newest
    def named_dictionaries(self) -> list[dict[str, Any]]:
        """Return the dictionaries as they are named."""
        return [one.model_dump() for one in self.dictionaries]

    def to_request(self, versions: tuple[requests.DictionaryVersion, ...]) -> requests.Request:
        """Return the request; `versions` are those of its dictionaries. Raises UnknownVoice for what is no id."""
        voice_id = parse_id(self.voice_id)
        if voice_id is None:
            raise errors.UnknownVoice
        fields = self.model_dump(exclude={"voice_id", "dictionaries", "cache"})
        return requests.Request(**fields, voice_id=voice_id, dictionaries=versions, use_cache=self.cache)


class Revision(BaseModel):
    """The new text of a generation; all else stays as it was."""

    model_config = ConfigDict(extra="forbid")

    text: Speakable = Field(examples=["The sea was calm that morning."])


class GenerationError(BaseModel):
    """Why a generation failed."""

    code: str = Field(examples=["voice_missing"])
    message: str = Field(examples=["The voice is not there any more."])


class ProgressView(BaseModel):
    """How many of the pieces of a long text are spoken."""

    chunks_total: int = Field(examples=[12])
    chunks_done: int = Field(examples=[5])


class GenerationView(BaseModel):
    """A generation as clients see it. Times are UTC; durations are seconds."""

    id: UUID
    status: requests.Status
    mode: requests.Mode
    input_type: requests.InputType
    text: str
    characters: int
    characters_spoken: int | None
    characters_cached: int | None
    voice_id: UUID | None
    voice_name: str
    language: str | None
    format: str
    model_id: str
    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float
    speed: float
    pitch: float
    volume: float
    seed: int | None
    dictionaries: list[dict[str, Any]]  # Any: id and version
    parameters_applied: dict[str, Any]  # Any: the engine's own values
    parameters_ignored: list[str]
    progress: ProgressView | None
    duration_seconds: float | None
    error: GenerationError | None
    tries: int
    revised_from: UUID | None
    audio_url: str | None
    alignment_url: str | None
    created_at: datetime
    updated_at: datetime


class GenerationList(BaseModel):
    """One page of generations, newest first."""

    items: list[GenerationView]
    next_cursor: str | None


class AttemptView(BaseModel):
    """One try to make a generation's audio, or a piece of it; timings in seconds."""

    id: UUID
    model_id: str
    status: str
    error: str | None
    timings: dict[str, float]
    settings: dict[str, Any]  # Any: the engine's own values
    created_at: datetime


class AttemptList(BaseModel):
    """The last tries, oldest first."""

    items: list[AttemptView]
    next_cursor: None = None


def view(generation: requests.Generation) -> GenerationView:
    """Return a generation as clients see it."""
    path = f"/v1/generations/{generation.id}"
    completed = generation.status == "completed"
    is_heard = completed and generation.rendition_id is not None
    failed = generation.status == "failed"
    progress = None
    if generation.chunks_total is not None:
        progress = ProgressView(chunks_total=generation.chunks_total, chunks_done=generation.chunks_done or 0)
    return GenerationView(
        **{name: getattr(generation, name) for name in GenerationView.model_fields if hasattr(generation, name)}
        | {
            "parameters_applied": generation.applied,
            "parameters_ignored": generation.ignored_parameters,
            "progress": progress,
            "duration_seconds": generation.duration_seconds if completed else None,
            "audio_url": f"{path}/audio" if is_heard else None,
            "alignment_url": f"{path}/alignment" if is_heard else None,
            "error": GenerationError(code=generation.error_code or "failed", message=generation.error or "")
            if failed
            else None,
        }
    )
