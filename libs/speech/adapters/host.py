"""An engine whose model lives in processes of its own, each started from a command and replaced in its place.

A model may take gigabytes, so no second process is started beside one that still runs: what died, hung, grew or had
its job cancelled is ended first and then started again, and the next job waits for that.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from libs.speech.adapters.hosted_model import EXIT_GROWN, Declined, Greeting, Order, Voiced
from libs.speech.adapters.protocol import (
    EngineVoice,
    Speech,
    SpeechJob,
    UnsupportedLanguage,
    UnusableReference,
    WordTime,
)
from libs.speech.adapters.seats import Room, Seat, own_environment
from libs.speech.engine import (
    EngineCrashed,
    EngineTimeout,
    EngineUnavailable,
    TextNotSpeakable,
    UnknownEngineVoice,
    checked_text,
)
from libs.speech.espeak_child import Died, EngineProcess, Frame, start_process

_BOOT = Path(__file__).with_name("boot.py")
_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 0.5, 60.0
_LEAVE_SECONDS = 2.0
"""How long a process may live on after it closed its pipes."""

_FULL = 0.8
"""The share of its memory at which a process is replaced between two jobs, before one would die of it."""
_REFUSALS = {
    "text": TextNotSpeakable,
    "voice": UnknownEngineVoice,
    "language": UnsupportedLanguage,
    "reference": UnusableReference,
}


@dataclass(frozen=True, slots=True)
class Hosting:
    """How the processes of an engine are run: how many, with which interpreter (None: ours), within which bounds."""

    processes: int = 1
    python: Path | None = None
    memory_mb: int = 4096
    start_seconds: float = 180.0
    timeout_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class Engine:
    """What is known of an engine before it runs; `module` and `options` say what its process loads."""

    name: str
    model: str
    module: str
    honours: frozenset[str]
    longest_text: int
    options: Mapping[str, str] = field(default_factory=dict)


class HostedEngine:
    """`PcmEngine` on a model in processes of its own, to be had from `piper`, `kokoro` and `chatterbox`.

    Jobs are taken in the order in which they came. One that runs longer than `Hosting.timeout_seconds` fails with
    EngineTimeout; waiting for a process does not count. The failure of a process fails the one job that it had.
    """

    def __init__(self, engine: Engine, hosting: Hosting | None = None) -> None:
        self._engine = engine
        self._hosting = hosting or Hosting()
        self._room: Room | None = None
        self._problem = ""
        self._living: set[EngineProcess] = set()
        self._greeting = Greeting(kind="ready", version="", voices=[], languages=None)

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def model(self) -> str:
        return self._engine.model

    @property
    def honours(self) -> frozenset[str]:
        return self._engine.honours

    @property
    def longest_text(self) -> int:
        return self._engine.longest_text

    @property
    def version(self) -> str:
        return self._greeting["version"]

    @property
    def languages(self) -> frozenset[str] | None:
        known = self._greeting["languages"]
        return None if known is None else frozenset(known)

    @property
    def ready(self) -> bool:
        return self._room is not None and any(seat.process for seat in self._room.seats)

    @property
    def problem(self) -> str:
        return "" if self.ready else self._problem

    @property
    def process_ids(self) -> frozenset[int]:
        """The processes that have not ended."""
        return frozenset(process.pid for process in self._living)

    def voices(self) -> tuple[EngineVoice, ...]:
        return tuple(EngineVoice(*voice) for voice in self._greeting["voices"])

    async def start(self) -> None:
        """Load the model in every process. Raises EngineUnavailable, saying what is missing and how to get it."""
        if self._room is not None:
            return
        self._problem = ""
        self._room = room = Room(self._hosting.processes)
        try:
            for seat in room.seats:
                self._fill(room, seat)
            await asyncio.gather(*(asyncio.shield(seat.attempt) for seat in room.seats))
        except BaseException:
            await self.close()
            raise

    async def speak(self, job: SpeechJob) -> Speech:
        """Speak one text. Cancelling the call kills the process that speaks it; another takes its place.

        Raises TextNotSpeakable, UnknownEngineVoice, UnsupportedLanguage, UnusableReference, EngineCrashed,
        EngineTimeout, EngineUnavailable.
        """
        text = checked_text(job.text, self.longest_text)
        room = self._room
        if room is None:
            why = self._problem or "call start() first, and speak nothing after close()"
            raise EngineUnavailable(f"the engine {self.name} is not running: {why}")
        async with room.turns:
            seat = room.idle.popleft()
            try:
                process = await self._process_of(seat)
                return self._speech(process, *await self._ask(room, process, _order(job), text))
            finally:
                room.idle.append(seat)

    async def close(self) -> None:
        """End all processes at once and wait until they are gone."""
        room, self._room = self._room, None
        filling = [seat.filling for seat in room.seats if seat.filling is not None] if room is not None else []
        for task in filling:
            task.cancel()
        await asyncio.gather(*filling, return_exceptions=True)
        living = list(self._living)
        for process in living:
            process.kill()
        await asyncio.gather(*(process.gone() for process in living))

    async def _process_of(self, seat: Seat) -> EngineProcess:
        try:
            return await asyncio.shield(seat.attempt)
        except EngineUnavailable as failure:
            # One failure may be everybody's, but a raised exception is its raiser's alone.
            raise EngineUnavailable(f"the engine {self.name} is not running: {failure}") from None

    async def _ask(self, room: Room, process: EngineProcess, order: Order, text: bytes) -> Frame:
        seconds = self._hosting.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                return await process.ask(cast("Mapping[str, object]", order), text)
        except Died:
            await process.gone()
            if room is not self._room:
                raise EngineUnavailable("the engine was closed while it spoke this text") from None
            raise EngineCrashed(self._how_it_died(process)) from None
        except TimeoutError:
            raise EngineTimeout(f"the engine did not finish this text within {seconds:g} s") from None
        finally:
            if process.busy:
                process.kill()  # it still works on a job that nobody waits for

    def _speech(self, process: EngineProcess, header: object, body: memoryview) -> Speech:
        reply = cast("Voiced | Declined", header)
        if reply["kind"] == "refused":
            raise _REFUSALS[reply["reason"]](reply["message"])
        if reply["resident_bytes"] > _FULL * (self._hosting.memory_mb << 20):
            process.kill()
        return Speech(bytes(body), reply["sample_rate"], _words(reply), reply["applied"])

    def _how_it_died(self, process: EngineProcess) -> str:
        if process.exit_code == EXIT_GROWN:
            return (
                f"the engine process took more than its {self._hosting.memory_mb} MiB for this text and was ended: "
                "split the text, or raise ANTIPHON_ENGINE_MEMORY_MB"
            )
        return f"the engine process died while it spoke this text (exit code {process.exit_code})"

    def _fill(self, room: Room, seat: Seat) -> None:
        """Start a process for the seat, trying until one comes."""
        seat.filling = asyncio.get_running_loop().create_task(self._fill_until_it_serves(room, seat))

    async def _fill_until_it_serves(self, room: Room, seat: Seat) -> None:
        delay = _FIRST_RETRY_SECONDS
        while True:
            try:
                process = await self._start_one(room, seat)
            except EngineUnavailable as failure:
                self._problem = str(failure)
                self._settle(seat, failure)
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LAST_RETRY_SECONDS)
            except asyncio.CancelledError:
                self._settle(seat, EngineUnavailable("it was closed"))
                raise
            else:
                self._living.add(process)
                process.when_gone(self._living.discard)
                self._greeting = cast("Greeting", process.greeting)
                seat.attempt.set_result(process)
                return

    def _settle(self, seat: Seat, failure: EngineUnavailable) -> None:
        """Whoever waits for a process of this seat, or comes for it before there is one, gets the failure."""
        if not seat.attempt.done():
            seat.attempt.set_exception(failure)
            seat.attempt.exception()  # nobody may be waiting, which is no error

    async def _start_one(self, room: Room, seat: Seat) -> EngineProcess:
        if seat.attempt.done():
            seat.attempt = asyncio.get_running_loop().create_future()
        return await start_process(
            lambda process: self._ended(room, seat, process),
            self._command(),
            environment=own_environment(),
            within_seconds=self._hosting.start_seconds,
        )

    def _ended(self, room: Room, seat: Seat, process: EngineProcess) -> None:
        """A process ended, closed its pipes or is being ended: when it is gone, another takes its place."""
        asyncio.get_running_loop().call_later(_LEAVE_SECONDS, process.kill)
        if seat.process is not process:
            return  # it never came to serve, and who starts it knows
        seat.attempt = asyncio.get_running_loop().create_future()
        process.when_gone(lambda _: self._replace(room, seat))

    def _replace(self, room: Room, seat: Seat) -> None:
        if room is self._room:
            self._fill(room, seat)
        else:
            self._settle(seat, EngineUnavailable("it was closed"))

    def _command(self) -> list[str]:
        engine, hosting = self._engine, self._hosting
        command = [str(hosting.python or sys.executable), "-I", "-X", "utf8", str(_BOOT)]
        command += ["--engine", engine.module, "--memory-mb", str(hosting.memory_mb)]
        for name, value in engine.options.items():
            command += ["--option", f"{name}={value}"]
        return command


def _order(job: SpeechJob) -> Order:
    return Order(
        voice=job.voice,
        language=job.language,
        speed=job.speed,
        parameters=job.parameters,
        seed=job.seed,
        reference=None if job.reference is None else str(job.reference),
    )


def _words(reply: Voiced) -> tuple[WordTime, ...] | None:
    return None if reply["words"] is None else tuple(WordTime(*word) for word in reply["words"])
