"""The engine process: reads requests on stdin, speaks, encodes, answers on stdout. Run by `libs.speech.espeak`.

    python -m libs.speech.espeak_process [NICENESS]

It encodes here because shipping PCM to the worker costs more than speaking it. It ends when stdin closes, which is also
what the death of the worker looks like, and at any error that it does not expect: the worker then starts another.
"""

from __future__ import annotations

import _thread
import array
import faulthandler
import sys
import threading
from collections.abc import Callable
from queue import Queue
from time import perf_counter
from typing import BinaryIO, cast

from libs.niceness import step_back_alone
from libs.speech.alignment import align
from libs.speech.child_pipes import claim_stdout, die_with_worker, leave_signals_to_the_worker, receive, send
from libs.speech.encoding import Segment, SegmentEncoder, parse_output_format, segment_encoder
from libs.speech.espeak_fitting import fit
from libs.speech.espeak_native import (
    DEFAULT_RATE,
    LONGEST_SECONDS,
    NATIVE_RATES,
    Espeak,
    Stretcher,
    TooLong,
    UnknownVoice,
)
from libs.speech.espeak_wire import Fitting, Ready, Refused, Request, Spoken, is_fitting
from libs.speech.spoken_text import readable

SHORTEST_SECONDS = 0.2
"""What has no sound (punctuation, spaces) becomes this much silence: players and tracks need a duration above zero."""

_PIECES_AHEAD = 64
"""Pieces of half a second or less that may wait to be encoded."""

_SAME_SPEED = 0.015  # a residue that is not worth stretching


Change = Callable[[bytes], bytes]
"""What is done to the samples of a whole job: as many come out, each at its old time."""


class _Output:
    """Where the speech of one job goes: through the stretcher if one is needed, into the encoder.

    Encoding takes twice as long as speaking and both let go of the interpreter, so the encoder has a thread of its
    own. The pieces that wait for it are bounded, and with them the memory; only what is to be changed waits for its
    end, since a change has to hear what comes before and after.
    """

    def __init__(self, encoder: SegmentEncoder, stretcher: Stretcher | None, change: Change | None = None) -> None:
        self._encoder = encoder
        self._stretcher = stretcher
        self._change = change
        self._unchanged = bytearray()
        self._pieces: Queue[bytes | None] = Queue(maxsize=_PIECES_AHEAD)
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._encode, daemon=True)
        self._thread.start()
        self.samples = 0
        self.waited_seconds = 0.0
        """How long speaking had to wait for the encoder."""

    def feed(self, pcm: bytes) -> None:
        self._put(self._stretcher.feed(pcm) if self._stretcher else pcm)

    def end(self, least_samples: int) -> None:
        """Take no more, and fill up with silence to `least_samples`."""
        if self._stretcher:
            self._put(self._stretcher.finish())
        self._put(bytes(2 * max(0, least_samples - self.samples)))
        if self._change:
            self._encode_later(self._change(bytes(self._unchanged)))
            self._unchanged.clear()

    def finish(self) -> Segment:
        """The encoded segment."""
        began = perf_counter()
        self.close()
        if self._failure is not None:
            raise self._failure
        segment = self._encoder.finish()
        self.waited_seconds += perf_counter() - began
        return segment

    def close(self) -> None:
        """End the thread; what it has got is encoded first."""
        if self._thread.is_alive():
            self._pieces.put(None)
            self._thread.join()

    def _put(self, pcm: bytes) -> None:
        if not pcm:
            return
        self.samples += len(pcm) // 2
        if self._change:
            self._unchanged += pcm
        else:
            self._encode_later(pcm)

    def _encode_later(self, pcm: bytes) -> None:
        began = perf_counter()
        self._pieces.put(pcm)
        self.waited_seconds += perf_counter() - began

    def _encode(self) -> None:
        while (pcm := self._pieces.get()) is not None:
            if self._failure is None:
                try:
                    self._encoder.feed(pcm)
                except Exception as failure:  # noqa: BLE001, `finish` raises it where it is looked for
                    self._failure = failure


def main() -> None:
    """Serve requests until stdin closes."""
    replies = claim_stdout()
    leave_signals_to_the_worker()
    if len(sys.argv) > 1:
        step_back_alone(int(sys.argv[1]))
    faulthandler.enable()
    _thread.start_new_thread(die_with_worker, ())
    espeak = Espeak()
    _warm_up(espeak)
    send(replies, Ready(kind="ready", version=espeak.version))
    while frame := receive(sys.stdin.buffer):
        _answer(espeak, replies, *frame)


def _warm_up(espeak: Espeak) -> None:
    """Load what the first job would otherwise wait for."""
    espeak.set_voice("gmw/en-US", None, "en-US")
    espeak.set_parameters(rate=DEFAULT_RATE, pitch=None, pitch_range=None, volume=None, word_gap=None)
    output = _Output(segment_encoder(parse_output_format("mp3"), espeak.sample_rate), None)
    espeak.speak("a", output.feed, most_samples=espeak.sample_rate * LONGEST_SECONDS)
    output.finish()


def _answer(espeak: Espeak, replies: BinaryIO, request: Request | Fitting, body: bytes) -> None:
    """Do one job and send what came of it."""
    try:
        header, times, segment = (
            fit(espeak, request, body)
            if is_fitting(request)
            else _render_with(espeak, cast("Request", request), body.decode())
        )
    except UnknownVoice as unknown:
        send(replies, Refused(kind="refused", reason="voice", message=str(unknown)))
    except TooLong:
        limit = f"the speech would take more than {LONGEST_SECONDS // 60} minutes: split the text"
        send(replies, Refused(kind="refused", reason="text", message=limit))
    else:
        send(replies, header, times, segment)


def _render_with(espeak: Espeak, request: Request, text: str) -> tuple[Spoken, bytes, bytes]:
    """As `_render`, by an engine that has spoken nothing before if the job has a seed."""
    if request["seed"] is None:
        return _render(espeak, request, text)
    fresh = Espeak(request["seed"])
    try:
        return _render(fresh, request, text)
    finally:
        fresh.close()


def _render(espeak: Espeak, request: Request, text: str) -> tuple[Spoken, bytes, bytes]:
    """The reply's header, the packed times, and the segment."""
    began = perf_counter()
    rate, stretch = _split_speed((request["rate"] or DEFAULT_RATE) * request["speed"])
    espeak.set_voice(request["voice"], request["variant"], request["language"])
    espeak.set_parameters(
        rate=rate,
        pitch=request["pitch"],
        pitch_range=request["pitch_range"],
        volume=request["volume"],
        word_gap=request["word_gap"],
    )
    stretcher = None if stretch == 1.0 else espeak.stretcher(stretch)
    form = parse_output_format(request["form"])
    output = _Output(
        _encoder(request, espeak.sample_rate), stretcher, _change(request["transform"], espeak.sample_rate)
    )
    most_samples = int(espeak.sample_rate * LONGEST_SECONDS * stretch)
    try:
        words, phonemes, samples = espeak.speak(
            readable(text),
            output.feed,
            most_samples=most_samples,
            is_markup=request["is_markup"],
            has_phonemes=request["has_phonemes"],
            goes_on=request["goes_on"],
        )
        output.end(int(espeak.sample_rate * SHORTEST_SECONDS))
        starts, ends = align(
            text, words, phonemes, total_samples=samples, duration_seconds=output.samples / espeak.sample_rate
        )
        segment = output.finish()
    finally:
        output.close()
        if stretcher:
            stretcher.close()
    duration = segment.samples / form.sample_rate  # of the silence at the end the encoder may have kept less
    times = array.array("d", [min(time, duration) for time in (*starts, *ends)])
    header = Spoken(
        kind="spoken",
        characters=len(text),
        samples=segment.samples,
        synthesis_seconds=perf_counter() - began - output.waited_seconds,
        encoding_seconds=output.waited_seconds,
        applied={"rate": rate * stretch, "speed": rate * stretch / (request["rate"] or DEFAULT_RATE)},
    )
    return header, times.tobytes(), segment.data


def _encoder(request: Request, sample_rate: int) -> SegmentEncoder:
    return segment_encoder(parse_output_format(request["form"]), sample_rate)


def _change(transform: dict[str, object] | None, sample_rate: int) -> Change | None:
    """What brings the speech near a recording, if the voice was matched to one."""
    if not transform:
        return None
    # NumPy and WORLD are loaded by whoever speaks as a matched voice.
    import numpy as np

    from libs.speech.timbre.transform import Transform, apply

    try:
        wanted = Transform.from_dict(transform)
    except (TypeError, ValueError) as failure:
        raise UnknownVoice(f"the voice's transform is not one that can be applied: {failure}") from failure
    return lambda pcm: apply(np.frombuffer(pcm, np.int16), sample_rate, wanted).tobytes()


def _split_speed(words_per_minute: float) -> tuple[int, float]:
    """The rate that the engine speaks at, and the factor by which its speech is then played faster or slower."""
    slowest, fastest = NATIVE_RATES
    rate = min(max(round(words_per_minute), slowest), fastest)
    stretch = words_per_minute / rate
    return rate, 1.0 if abs(stretch - 1.0) < _SAME_SPEED else stretch


if __name__ == "__main__":
    main()
