"""The embedded speech engine: eSpeak NG in a pool of processes."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from libs.speech.encoding import OutputFormat
from libs.speech.engine import (
    Model,
    Rendered,
    RenderJob,
    TextNotSpeakable,
    Timings,
    UnknownEngineVoice,
    VoiceProfile,
    checked_text,
)
from libs.speech.espeak_pool import EnginePool
from libs.speech.espeak_wire import TIME_BYTES, Fitting, Reply, Request, Spoken
from libs.speech.languages import VOICE_OF_LANGUAGE, profile_for_language

LONGEST_TEXT = 20_000
"""Code points of one job, markup included; longer texts are split at sentences before they get here."""
_BACKGROUND_NICENESS = 10
"""A tenth of the processor time that a process at 0 has when both want it."""
_BACKGROUND_PATIENCE = 4
"""How many times as long a job in the background may take."""
_PITCHES_PER_SEMITONE = 5.1
"""Steps on eSpeak NG's scale of pitch, with the range scaled alongside: measured on three of its voices, to a
semitone between -9 and 9 of them.
"""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Another engine's speech as a segment, with times as in `Rendered`; `agreement` says how sure these are (0-1)."""

    segment: bytes = field(repr=False)
    samples: int
    starts: Sequence[float] = field(repr=False)
    ends: Sequence[float] = field(repr=False)
    agreement: float


class EspeakEngine:
    """`SpeechEngine` on `processes` processes of eSpeak NG.

    A job that runs longer than `timeout_seconds` fails with EngineTimeout; the time that it waits for a process does
    not count. A process is replaced after `recycle_after` jobs. What is spoken in the background has as many processes
    of its own, which are started when they are first wanted; they may take longer, for they get what others leave.
    """

    name = "espeak-ng"
    honours = frozenset({"speed", "pitch", "volume", "seed"})

    def __init__(self, processes: int, *, timeout_seconds: float = 60.0, recycle_after: int = 2_000) -> None:
        self._pool = EnginePool(processes, timeout_seconds=timeout_seconds, recycle_after=recycle_after)
        self._background = EnginePool(
            processes,
            timeout_seconds=timeout_seconds * _BACKGROUND_PATIENCE,
            recycle_after=recycle_after,
            niceness=_BACKGROUND_NICENESS,
        )

    @property
    def version(self) -> str:
        """Of eSpeak NG itself, such as "1.52.0"; empty before `start`."""
        return self._pool.version

    @property
    def model(self) -> Model:
        """What the engine can do."""
        return Model(
            id=self.name,
            version=self.version,
            description="Formant synthesis: clear, fast and plainly synthetic, in many languages.",
            honours=sorted(self.honours),
            languages=sorted(VOICE_OF_LANGUAGE),
            most_characters=LONGEST_TEXT,
            ssml=True,
            timings="exact",
            custom_voices="matched",
        )

    @property
    def is_ready(self) -> bool:
        """Whether a job would be taken up now: from `start` to `close`."""
        return self._pool.is_open

    @property
    def process_ids(self) -> frozenset[int]:
        """The engine processes that have not ended."""
        return self._pool.process_ids | self._background.process_ids

    async def start(self) -> None:
        """Start the processes and wait until all can speak. Raises EngineUnavailable."""
        await self._pool.start()

    async def render(self, job: RenderJob) -> Rendered:
        """Speak one text. Cancelling the call kills the process that speaks it.

        Raises TextNotSpeakable, UnknownEngineVoice, EngineCrashed, EngineTimeout, EngineUnavailable.
        """
        text = checked_text(job.text, LONGEST_TEXT)
        pool = await self._pool_for(background=job.background)
        (reply, body), waited = await pool.ask(_request(job), text)
        return _rendered(job, _accepted(reply), body, waited)

    async def fit(
        self,
        text: str,
        pcm: bytes,
        sample_rate: int,
        form: OutputFormat,
        *,
        language: str,
        words: Sequence[tuple[int, int, float]] | None,
        background: bool = False,
    ) -> Fitted:
        """Time and encode speech that another engine made of `text`: PCM (s16le, mono) at `sample_rate` Hz.

        `words` are (position, length, start in seconds) as far as that engine knows them; without any they are found in
        the speech. Raises UnknownEngineVoice for a language that eSpeak NG does not read, EngineCrashed, EngineTimeout,
        EngineUnavailable.
        """
        encoded = text.encode()
        request = Fitting(
            text_bytes=len(encoded),
            sample_rate=sample_rate,
            words=None if words is None else [(one[0], one[1], one[2]) for one in words],
            voice=profile_for_language(language).engine_voice,
            language=language,
            form=form.name,
        )
        pool = await self._pool_for(background=background)
        (reply, body), _ = await pool.ask(request, encoded + pcm)
        spoken = _accepted(reply)
        starts, ends, segment = _parts(spoken, body)
        return Fitted(segment, spoken["samples"], starts, ends, float(spoken["applied"].get("agreement", 1.0)))

    async def close(self) -> None:
        """End all processes; jobs still running or waiting fail with EngineUnavailable."""
        await self._pool.close()
        await self._background.close()

    async def _pool_for(self, *, background: bool) -> EnginePool:
        if not background:
            return self._pool
        if self._pool.is_open and not self._background.is_open:
            await self._background.start()
        return self._background


def _request(job: RenderJob) -> Request:
    voice = VoiceProfile.from_settings(job.voice)
    return Request(
        voice=voice.engine_voice,
        variant=voice.variant,
        language=voice.language,
        rate=voice.rate,
        pitch=_shifted(voice.pitch, job.pitch),
        pitch_range=_widened(voice, job.pitch),
        volume=_scaled(voice.volume, job.volume),
        word_gap=voice.word_gap,
        form=job.form.name,
        speed=job.speed,
        seed=job.seed,
        is_markup=job.is_markup,
        has_phonemes=job.has_phonemes,
        goes_on=job.goes_on,
        transform=dict(voice.transform) if voice.transform else None,
    )


def _scaled(volume: int | None, factor: float) -> int | None:
    if factor == 1.0:
        return volume
    return round((100 if volume is None else volume) * factor)


def _shifted(pitch: int | None, semitones: float) -> int | None:
    if not semitones:
        return pitch
    return min(max(round((50 if pitch is None else pitch) + semitones * _PITCHES_PER_SEMITONE), 0), 99)


def _widened(voice: VoiceProfile, semitones: float) -> int | None:
    """The range of pitch, which the engine adds in hertz: it has to grow with the pitch to sound as wide."""
    if not semitones:
        return voice.pitch_range
    usual = 50 if voice.pitch_range is None else voice.pitch_range
    return min(round(usual * 2 ** (_reached(voice, semitones) / 12)), 99)


def _reached(voice: VoiceProfile, semitones: float) -> float:
    """How far the engine's scale lets the pitch be shifted."""
    usual = 50 if voice.pitch is None else voice.pitch
    shifted = _shifted(voice.pitch, semitones)
    return 0.0 if shifted is None else (shifted - usual) / _PITCHES_PER_SEMITONE


def _accepted(reply: Reply) -> Spoken:
    if reply["kind"] == "refused":
        error = TextNotSpeakable if reply["reason"] == "text" else UnknownEngineVoice
        raise error(reply["message"])
    return cast("Spoken", reply)


def _parts(spoken: Spoken, body: memoryview) -> tuple[array[float], array[float], bytes]:
    """The start times, the end times and the segment."""
    size = spoken["characters"] * TIME_BYTES
    starts, ends = array("d"), array("d")
    starts.frombytes(body[:size])
    ends.frombytes(body[size : 2 * size])
    return starts, ends, bytes(body[2 * size :])


def _rendered(job: RenderJob, spoken: Spoken, body: memoryview, waited: float) -> Rendered:
    starts, ends, segment = _parts(spoken, body)
    applied = dict(spoken["applied"])
    # As the engine took it: what lies beyond its scale is not reached.
    applied["pitch"] = round(_reached(VoiceProfile.from_settings(job.voice), job.pitch), 2) if job.pitch else 0.0
    applied["volume"] = job.volume
    if job.seed is not None:
        applied["seed"] = job.seed
    return Rendered(
        segment=segment,
        form=job.form,
        samples=spoken["samples"],
        starts=starts,
        ends=ends,
        timings=Timings(waited, spoken["synthesis_seconds"], spoken["encoding_seconds"]),
        applied=applied,
    )
