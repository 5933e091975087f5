"""Takes in what a client uploaded: decoded and measured in processes that may be lost, bounded in time and memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from libs.audio.quality import MOST_BYTES, QualityReport
from libs.audio.wire import SAMPLE_RATE, Reply
from libs.bounded import BoundedPool, Bounds, Broke, PoolUnavailable, TookTooLong

_MODULE = "libs.audio.decode_process"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may take: its own bytes; seconds of audio (the rest is left out), of the clock and of CPU; and
    bytes of memory. Ten minutes of 48 kHz stereo take about 3 s of CPU and 250 MB.
    """

    most_bytes: int = MOST_BYTES
    audio_seconds: float = 600.0
    wall_seconds: float = 30.0
    cpu_seconds: int = 20
    memory_bytes: int = 512 * 2**20


@dataclass(frozen=True, slots=True)
class Examined:
    """`pcm` is mono, 16 bits signed, little-endian, with `sample_rate` samples a second; `report` tells of the file."""

    report: QualityReport
    pcm: bytes = field(repr=False)
    sample_rate: int = SAMPLE_RATE


class IntakeError(Exception):
    """A file was not taken in. The message is for the person who sent it, and has nothing of the file in it."""


class NotAudio(IntakeError):
    """The file is no audio that is taken. Sending it again does not help."""


class DecodingTooLong(IntakeError):
    """The file took more time than it may have."""


class DecodingFailed(IntakeError):
    """The file broke its decoder, or needed more memory than it may have."""


class IntakeUnavailable(Exception):
    """No decoding process can be started; nothing is said about the file."""


class Intake:
    """Examines at most `processes` files at a time; others wait. Belongs to one event loop.

    Processes are started when they are needed and kept for the next file; `close` ends them.
    """

    def __init__(self, processes: int = 2) -> None:
        self._pool = BoundedPool(_MODULE, processes)

    @property
    def process_ids(self) -> frozenset[int]:
        """The decoding processes that have not ended."""
        return self._pool.process_ids

    async def examine(self, content: bytes, *, limits: Limits = Limits()) -> Examined:
        """Decode and measure the bytes of a file. Cancelling the call ends the work.

        Raises NotAudio, DecodingTooLong, DecodingFailed, IntakeUnavailable.
        """
        if not content:
            raise NotAudio("the file is empty")
        if len(content) > limits.most_bytes:
            raise NotAudio(f"the file is larger than the {limits.most_bytes / 2**20:.0f} MB that are taken")
        reply, pcm = await self._ask(content, limits)
        if reply["kind"] == "refused":
            raise NotAudio(reply["message"])
        return Examined(QualityReport(**reply["report"]), pcm)

    async def close(self) -> None:
        """End all processes; calls still running fail with DecodingFailed, waiting ones with IntakeUnavailable."""
        await self._pool.close()

    async def _ask(self, content: bytes, limits: Limits) -> tuple[Reply, bytes]:
        bounds = Bounds(limits.wall_seconds, limits.cpu_seconds, limits.memory_bytes)
        most_bytes = int((limits.audio_seconds + 1) * SAMPLE_RATE) * 2
        asked = {"audio_seconds": limits.audio_seconds}
        try:
            reply, pcm = await self._pool.ask(asked, content, bounds, most_bytes=most_bytes)
        except TookTooLong:
            raise DecodingTooLong(
                f"decoding the file takes longer than the {limits.wall_seconds:.0f} s that a file may have"
            ) from None
        except Broke as error:
            raise _broken(limits, out_of_memory=error.out_of_memory) from None
        except PoolUnavailable as error:
            raise IntakeUnavailable(
                f"audio cannot be decoded: {error}. "
                "If a module or silero-vad is missing, install the extra `speech` and requirements/models.txt"
            ) from error
        return cast("Reply", reply), pcm


def _broken(limits: Limits, *, out_of_memory: bool) -> DecodingFailed:
    if out_of_memory:
        return DecodingFailed(
            f"decoding the file takes more than the {limits.memory_bytes / 2**20:.0f} MB of memory that a file may have"
        )
    return DecodingFailed("the file broke the decoder, or needed too much memory; export it again")
