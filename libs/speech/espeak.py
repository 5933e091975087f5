"""The embedded speech engine: eSpeak NG in a pool of processes."""

from __future__ import annotations

from array import array
from typing import cast

from libs.speech.engine import (
    Alignment,
    Rendered,
    RenderJob,
    TextNotSpeakable,
    Timings,
    UnknownEngineVoice,
)
from libs.speech.espeak_pool import EnginePool
from libs.speech.espeak_wire import TIME_BYTES, Reply, Request, Spoken

LONGEST_TEXT = 5_000
"""Code points of one job; longer texts are split at sentences before they get here."""


class EspeakEngine:
    """`SpeechEngine` on `processes` processes of eSpeak NG.

    A job that runs longer than `timeout_seconds` fails with EngineTimeout; the time that it waits for a process does
    not count. A process is replaced after `recycle_after` jobs.
    """

    name = "espeak-ng"
    honours = frozenset({"speed"})

    def __init__(self, processes: int, *, timeout_seconds: float = 60.0, recycle_after: int = 2_000) -> None:
        self._pool = EnginePool(processes, timeout_seconds=timeout_seconds, recycle_after=recycle_after)

    @property
    def version(self) -> str:
        """Of eSpeak NG itself, such as "1.52.0"; empty before `start`."""
        return self._pool.version

    @property
    def process_ids(self) -> frozenset[int]:
        """The engine processes that have not ended."""
        return self._pool.process_ids

    async def start(self) -> None:
        """Start the processes and wait until all can speak. Raises EngineUnavailable."""
        await self._pool.start()

    async def render(self, job: RenderJob) -> Rendered:
        """Speak one text. Cancelling the call kills the process that speaks it.

        Raises TextNotSpeakable, UnknownEngineVoice, EngineCrashed, EngineTimeout, EngineUnavailable.
        """
        text = _encoded(job.text)
        (reply, body), waited = await self._pool.ask(_request(job), text)
        return _rendered(job, _accepted(reply), body, waited)

    async def close(self) -> None:
        """End all processes; jobs still running or waiting fail with EngineUnavailable."""
        await self._pool.close()


def _encoded(text: str) -> bytes:
    if not text:
        raise TextNotSpeakable("the text is empty")
    if len(text) > LONGEST_TEXT:
        raise TextNotSpeakable(f"the text has {len(text)} characters; one job takes at most {LONGEST_TEXT}: split it")
    if "\0" in text:
        raise TextNotSpeakable(f"the text has a NUL at character {text.index(chr(0))}: remove it")
    try:
        return text.encode()
    except UnicodeEncodeError as failure:
        raise TextNotSpeakable(
            f"the text has half of a surrogate pair at character {failure.start}: it is not valid Unicode"
        ) from None


def _request(job: RenderJob) -> Request:
    voice = job.voice
    return Request(
        voice=voice.engine_voice,
        variant=voice.variant,
        language=voice.language,
        rate=voice.rate,
        pitch=voice.pitch,
        pitch_range=voice.pitch_range,
        volume=voice.volume,
        word_gap=voice.word_gap,
        format=job.format.value,
        speed=job.speed,
    )


def _accepted(reply: Reply) -> Spoken:
    if reply["kind"] == "refused":
        error = TextNotSpeakable if reply["reason"] == "text" else UnknownEngineVoice
        raise error(reply["message"])
    return cast("Spoken", reply)


def _rendered(job: RenderJob, spoken: Spoken, body: memoryview, waited: float) -> Rendered:
    size = spoken["characters"] * TIME_BYTES
    starts, ends = array("d"), array("d")
    starts.frombytes(body[:size])
    ends.frombytes(body[size : 2 * size])
    return Rendered(
        audio=bytes(body[2 * size :]),
        content_type=job.format.content_type,
        format=job.format,
        sample_rate=spoken["sample_rate"],
        duration_seconds=spoken["samples"] / spoken["sample_rate"],
        alignment=Alignment(tuple(job.text), tuple(starts), tuple(ends)),
        timings=Timings(waited, spoken["synthesis_seconds"], spoken["encoding_seconds"]),
        applied=spoken["applied"],
    )
