"""What every speech engine offers: the job, the rendered audio with its timing, and the errors.

Nothing here knows an engine. Callers build a `RenderJob`, await `SpeechEngine.render` and read a `Rendered`.
An error tells by its base class whether trying again can help: never for a `PermanentSpeechError`, perhaps for a
`TransientSpeechError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, Self

from libs.speech.encoding import OutputFormat, parse_output_format

SPEED_RANGE = (0.25, 4.0)
"""The factors of speed that a job may ask for; OpenAI's `/v1/audio/speech` has the same bounds."""
_JOB_RANGES = {"speed": SPEED_RANGE, "pitch": (-12.0, 12.0), "volume": (0.0, 2.0)}


_PROFILE_RANGES = {
    "rate": (80, 450),
    "pitch": (0, 99),
    "pitch_range": (0, 99),
    "volume": (0, 200),
    "word_gap": (0, 500),
}


@dataclass(frozen=True, slots=True)
class VoiceProfile:
    """How an engine has to speak to sound like one voice.

    `engine_voice` is the engine's own name for its voice, `language` the BCP-47 tag that it is offered under, `variant`
    the engine's name for a timbre. `rate` is in words a minute (80-450), `pitch` and `pitch_range` on a scale of 0-99
    with 50 as the engine's usual, `volume` in percent of the usual (0-200), `word_gap` the extra pause between words in
    units of 10 ms at the usual rate; `transform` brings its sound near a recording. None means the engine's own
    default. Raises ValueError outside these ranges.
    """

    engine_voice: str
    language: str
    rate: int | None = None
    pitch: int | None = None
    pitch_range: int | None = None
    variant: str | None = None
    volume: int | None = None
    word_gap: int | None = None
    # Any: what libs.speech.timbre applies to the speech; JSON.
    transform: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in _PROFILE_RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name} is {value}; it must lie between {low} and {high}")

    def to_settings(self) -> dict[str, Any]:  # JSON
        """The profile as JSON-ready fields, without those left to the engine's default."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:  # JSON: checked field by field here
        """The profile that `to_settings` wrote. Raises TypeError for unknown or missing fields, ValueError as above."""
        return cls(**settings)


@dataclass(frozen=True, slots=True)
class RenderJob:
    """A piece of text to speak as a segment of audio.

    `text` is what the engine reads: SSML if `is_markup`, and what stands in double brackets are the engine's own
    phonemes if it `has_phonemes`. `form` is the format that the segment becomes part of. `speed` is a factor on the
    voice's own rate (0.25-4), `pitch` a shift in semitones (-12 to 12), `volume` a factor (0-2). With a `seed` the same
    job gives the same bytes, whatever the engine spoke before. Text that `goes_on` in another segment ends with the
    pause after a sentence. `language` is the text's, a BCP 47 tag; empty for the voice's own. `sampling` has
    temperature, top_p, top_k and repetition_penalty as far as the request set them. What is in the `background` nobody
    waits for: it takes nothing from what somebody does. Raises ValueError outside the ranges.
    """

    text: str
    # Any: JSON of the engine's own; for eSpeak NG what VoiceProfile.to_settings wrote.
    voice: Mapping[str, Any]
    form: OutputFormat = field(default_factory=lambda: parse_output_format("mp3"))
    speed: float = 1.0
    pitch: float = 0.0
    volume: float = 1.0
    seed: int | None = None
    is_markup: bool = False
    has_phonemes: bool = False
    goes_on: bool = False
    language: str = ""
    sampling: Mapping[str, float] = field(default_factory=dict)
    background: bool = False

    def __post_init__(self) -> None:
        for name, (low, high) in _JOB_RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}; it must lie between {low} and {high}")


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time of one job went, in seconds: waiting for an engine, speaking, what encoding took beyond that."""

    queue_seconds: float
    synthesis_seconds: float
    encoding_seconds: float


@dataclass(frozen=True, slots=True)
class Rendered:
    """A segment of audio and when each code point of the job's text is heard.

    `segment` is what `libs.speech.encoding.Joiner` joins; it takes up `samples` at the sample rate of `form`. Times are
    seconds from the segment's start: starts and ends never decrease, no end lies before its start or behind the
    segment's. Characters that make no sound share the pause they stand in. `applied` has the honoured parameters as the
    engine used them, and its words a minute.
    """

    segment: bytes = field(repr=False)
    form: OutputFormat
    samples: int
    starts: Sequence[float] = field(repr=False)
    ends: Sequence[float] = field(repr=False)
    timings: Timings
    applied: Mapping[str, Any]  # Any: numbers, and names of engines' own

    @property
    def duration_seconds(self) -> float:
        """How long the segment is heard."""
        return self.samples / self.form.sample_rate


@dataclass(frozen=True, slots=True)
class Model:
    """What an engine can do, for those who choose: JSON-ready. `languages`: BCP 47 tags, None for any."""

    id: str
    version: str
    description: str
    honours: Sequence[str]
    languages: Sequence[str] | None
    most_characters: int
    ssml: bool
    timings: str
    """"exact" from the engine, or "aligned" afterwards."""
    custom_voices: str
    """"matched" in timbre, "cloned", or "none"."""
    voices: Sequence[str] = ()
    """The engine's own voices, where a request may name one."""


class SpeechEngine(Protocol):
    """Speaks texts. One instance serves any number of concurrent callers of one event loop."""

    @property
    def name(self) -> str:
        """The engine's stable identifier, such as "espeak-ng"."""

    @property
    def version(self) -> str:
        """The version of the engine that speaks; the same text may sound different under another one."""

    @property
    def honours(self) -> frozenset[str]:
        """The names of the request parameters that change what this engine speaks; it ignores all others."""

    @property
    def model(self) -> Model:
        """What the engine can do; complete after `start`."""

    @property
    def is_ready(self) -> bool:
        """Whether a job would be taken up now."""

    async def start(self) -> None:
        """Make the engine ready to render. Raises EngineUnavailable."""

    async def render(self, job: RenderJob) -> Rendered:
        """Speak one text. Cancelling the call stops the work. Raises a PermanentSpeechError or TransientSpeechError."""

    async def close(self) -> None:
        """Stop at once and free everything; jobs still running or waiting fail with EngineUnavailable."""


class SpeechError(Exception):
    """A job was not rendered. Only its two subclasses are raised."""


class PermanentSpeechError(SpeechError):
    """The same job would fail again: the request has to change."""


class TransientSpeechError(SpeechError):
    """The same job may succeed when tried again, here or on another worker."""


class TextNotSpeakable(PermanentSpeechError):
    """The text is not one that an engine can be given; the message says why."""


class UnknownEngineVoice(PermanentSpeechError):
    """The engine has no such voice or variant."""


class EngineCrashed(TransientSpeechError):
    """The engine died while it rendered this job."""


class EngineTimeout(TransientSpeechError):
    """The engine took longer than it may and was stopped."""


class EngineUnavailable(TransientSpeechError):
    """The engine is closed, was never started, or does not start."""


def checked_text(text: str, longest: int) -> bytes:
    """The text in UTF-8. Raises TextNotSpeakable if it is empty, too long or no valid Unicode."""
    if not text:
        raise TextNotSpeakable("the text is empty")
    if len(text) > longest:
        raise TextNotSpeakable(f"the text has {len(text)} characters; one job takes at most {longest}: split it")
    if "\0" in text:
        raise TextNotSpeakable(f"the text has a NUL at character {text.index(chr(0))}: remove it")
    try:
        return text.encode()
    except UnicodeEncodeError as failure:
        raise TextNotSpeakable(
            f"the text has half of a surrogate pair at character {failure.start}: it is not valid Unicode"
        ) from None
