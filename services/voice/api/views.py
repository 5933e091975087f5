"""Voices as clients see them, and what clients may say of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from services.voice import domain


def _plain(value: object) -> object:
    """What is no text is refused by its type afterwards."""
    return domain.plain_text(value) if isinstance(value, str) else value


PlainText = BeforeValidator(_plain)
LanguageTag = Annotated[str, AfterValidator(domain.language_tag)]
Name = Annotated[str, Field(min_length=1, max_length=domain.NAME_MAX_LENGTH, examples=["Evening voice"]), PlainText]
Description = Annotated[str, Field(max_length=domain.DESCRIPTION_MAX_LENGTH), PlainText]
Speed = Annotated[
    float, Field(strict=True, ge=0.25, le=4, allow_inf_nan=False, description="A factor on the voice's own rate.")
]
Pitch = Annotated[float, Field(strict=True, ge=-12, le=12, allow_inf_nan=False, description="A shift in semitones.")]
Volume = Annotated[float, Field(strict=True, ge=0, le=2, allow_inf_nan=False, description="A factor.")]


_ID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
UploadIds = Annotated[str, Field(max_length=400, pattern=f"^({_ID}(,{_ID})*)?$")]


class VoiceQuery(BaseModel):
    """Which voices to list."""

    query: Annotated[str, Field(max_length=200), PlainText] | None = Field(
        None, description="Words that the name or the description contains, in any case."
    )
    category: domain.Category | None = Field(None, description="Only those that are good for this.")
    language: LanguageTag | None = Field(None, description='A BCP 47 tag; "en" lists en-US, en-GB and so on.')
    variant: domain.Variant | None = Field(None, description="Only system voices, or only custom ones.")
    status: domain.Status = Field(
        domain.Status.READY, description="Only ready voices can be spoken with; others are custom ones."
    )
    limit: int = Field(50, ge=1, le=100)
    cursor: str | None = Field(None, description="`next_cursor` of the page before.")


class NewVoiceForm(BaseModel):
    """The fields of the form that makes a voice, beside its files."""

    name: Name
    description: Description = ""
    category: domain.Category = domain.Category.GENERAL
    language: LanguageTag = domain.DEFAULT_LANGUAGE
    upload_ids: UploadIds = Field(default="", description="Ids of finished uploads of audio, separated by commas.")

    def uploads(self) -> list[UUID]:
        """Return the ids of the uploads that are named."""
        return [UUID(one) for one in self.upload_ids.split(",") if one]


class SettingsView(BaseModel):
    """What requests are spoken with that do not say otherwise."""

    model_config = ConfigDict(extra="forbid")

    speed: Speed = domain.USUAL_SETTINGS["speed"]
    pitch: Pitch = domain.USUAL_SETTINGS["pitch"]
    volume: Volume = domain.USUAL_SETTINGS["volume"]


class SettingsChanges(BaseModel):
    """Settings to change; null makes one usual again."""

    model_config = ConfigDict(extra="forbid")

    speed: Speed | None = None
    pitch: Pitch | None = None
    volume: Volume | None = None


class VoiceChanges(BaseModel):
    """What to change of a voice; what is not named stays."""

    model_config = ConfigDict(extra="forbid")

    name: Name = ""
    description: Description | None = Field(None, description="null or empty removes it.")
    category: domain.Category = domain.Category.GENERAL
    language: LanguageTag = domain.DEFAULT_LANGUAGE
    settings: SettingsChanges = SettingsChanges()

    def fields(self) -> dict[str, Any]:  # Any: of several types, by name
        """Only what the client named."""
        named: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if "description" in named:
            named["description"] = named["description"] or None
        if "settings" in named:
            named["settings"] = self.settings.model_dump(exclude_unset=True)
        return named


class FindingView(BaseModel):
    """One thing that was found; `sample_id` is the recording's that it is about, null for all of them together."""

    code: str
    message: str
    sample_id: UUID | None


class QualityView(BaseModel):
    """What was measured of all recordings of a custom voice together."""

    files: int
    decoded_seconds: float
    speech_seconds: float
    warnings: list[FindingView]


class FitView(BaseModel):
    """How far speech is from the recordings: of the median pitch, of the long-term spectrum, of the formants."""

    pitch_error_semitones: float
    spectral_distance_db: float
    formant_error_percent: float
    speaking_rate_ratio: float


class MatchingView(BaseModel):
    """How a custom voice comes near its recordings: matched in timbre, not cloned.

    `before` is the plain voice of the language, `after` the matched one, each against the recordings; `steps` are those
    that measurably helped. A voice of the method "plain" is not matched, and `reason` says why.
    """

    method: str = Field(description='"timbre-matched" or "plain".')
    before: FitView | None = None
    after: FitView | None = None
    steps: list[str] = []
    reason: str | None = None


class VoiceView(BaseModel):
    """A voice as clients see it. Times are UTC."""

    id: UUID
    name: str
    description: str | None
    category: domain.Category
    category_label: str
    language: str
    variant: domain.Variant
    status: domain.Status
    reasons: list[FindingView] = Field(description="Why a voice was rejected: what was measured and what is needed.")
    settings: SettingsView
    engine: str
    sample_count: int
    quality: QualityView | None = Field(description="null for system voices, and until recordings were examined.")
    matching: MatchingView | None = Field(description="null for system voices, and until recordings were matched.")
    preview_url: str | None
    created_at: datetime
    updated_at: datetime


class VoiceList(BaseModel):
    """One page of voices, newest first."""

    items: list[VoiceView]
    next_cursor: str | None


class SampleView(BaseModel):
    """A recording of a custom voice. What is measured is null until it was examined."""

    id: UUID
    content_type: str
    size_bytes: int
    sha256: str
    duration_seconds: float | None
    sample_rate: int | None
    channels: int | None
    quality: dict[str, Any] | None = Field(  # Any: numbers and names of formats
        description="What was measured: levels in dB below full scale, loudness in LUFS, shares between 0 and 1."
    )
    problem: str | None = Field(description="Why it could not be decoded.")
    audio_url: str


class SampleList(BaseModel):
    """All recordings of a voice, in their order."""

    items: list[SampleView]


class CategoryView(BaseModel):
    """What voices are good for, and how many there are that can be spoken with."""

    value: domain.Category
    label: str
    count: int


class CategoryList(BaseModel):
    """All categories."""

    items: list[CategoryView]


def settings_view(voice: domain.Voice) -> SettingsView:
    """Return all settings of a voice."""
    return SettingsView(**voice.settings)


def voice_view(voice: domain.Voice) -> VoiceView:
    """Return what clients see of a voice."""
    return VoiceView(
        id=voice.id,
        name=voice.name,
        description=voice.description,
        category=voice.category,
        category_label=voice.category.label,
        language=voice.language,
        variant=voice.variant,
        status=voice.status,
        reasons=[FindingView(**reason) for reason in voice.reasons],
        settings=settings_view(voice),
        engine=voice.engine,
        sample_count=voice.sample_count,
        quality=QualityView(**voice.quality) if voice.quality else None,
        matching=MatchingView(**voice.matching) if voice.matching else None,
        preview_url=f"/v1/voices/{voice.id}/audio" if voice.object_key else None,
        created_at=voice.created_at,
        updated_at=voice.updated_at,
    )


def sample_view(sample: domain.Sample) -> SampleView:
    """Return what clients see of a recording."""
    return SampleView(
        id=sample.id,
        content_type=sample.content_type,
        size_bytes=sample.size_bytes,
        sha256=sample.sha256,
        duration_seconds=sample.duration_seconds,
        sample_rate=sample.sample_rate,
        channels=sample.channels,
        quality=dict(sample.report) if sample.report else None,
        problem=sample.problem,
        audio_url=f"/v1/voices/{sample.voice_id}/samples/{sample.id}/audio",
    )
