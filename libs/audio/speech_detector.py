"""Which parts of a recording are speech: Silero VAD's network, without its package, which would need PyTorch."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
FRAME = 512
"""Samples for which the network gives one probability: 32 ms."""

_FILE = "silero_vad_16k_sequence.onnx"
_SHA256 = "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"  # of silero-vad 6.2.3
_CONTEXT = 64  # samples of the frame before that the network sees as well
_FRAMES_AT_ONCE = 512

_BEGINS, _ENDS = 0.5, 0.35  # the probabilities at which silero-vad's own segmentation begins and ends speech
_LONGEST_PAUSE = 9  # frames (0.3 s) that belong to the speech around them: closures and short breaths
_SHORTEST_SPEECH = 8  # frames (0.25 s, as in silero-vad): what is shorter is a click


class DetectorMissing(Exception):
    """The network is not installed, or is not the one that was tested."""


class SpeechDetector:
    """The loaded network. Raises DetectorMissing.

    onnxruntime reports to its maker from the moment it is imported, unless ORT_DISABLE_TELEMETRY=1 is set before; it
    also starts a thread for that.
    """

    def __init__(self) -> None:
        network = _network()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])

    def probabilities(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probability of speech in each frame of mono audio of 16 kHz; the last frame is filled with silence."""
        if not len(samples):
            return samples
        padded = np.zeros(_CONTEXT + -(-len(samples) // FRAME) * FRAME, np.float32)
        padded[_CONTEXT : _CONTEXT + len(samples)] = samples
        windows = np.lib.stride_tricks.sliding_window_view(padded, _CONTEXT + FRAME)[::FRAME]
        h = c = np.zeros((1, 1, 128), np.float32)
        parts = []
        for begin in range(0, len(windows), _FRAMES_AT_ONCE):
            block = np.ascontiguousarray(windows[begin : begin + _FRAMES_AT_ONCE])
            part, h, c = self._session.run(("speech_probs", "hn", "cn"), {"input": block, "h": h, "c": c})
            parts.append(part)
        return np.concatenate(parts)


def speech_frames(probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The frames that belong to speech, short pauses included and clicks left out."""
    speech = np.zeros(len(probabilities), np.bool_)
    inside = False
    for number, probability in enumerate(probabilities):
        inside = bool(probability >= (_ENDS if inside else _BEGINS))
        speech[number] = inside
    _fill_runs(speech, value=False, shorter_than=_LONGEST_PAUSE + 1, inner_only=True)
    _fill_runs(speech, value=True, shorter_than=_SHORTEST_SPEECH, inner_only=False)
    return speech


def _fill_runs(frames: NDArray[np.bool_], *, value: bool, shorter_than: int, inner_only: bool) -> None:
    """Turn short runs of `value` into the other, in place; `inner_only` leaves the first and the last run."""
    edges = np.flatnonzero(np.diff(frames)) + 1
    bounds = [0, *edges.tolist(), len(frames)]
    for begin, end in pairwise(bounds):
        at_the_edge = begin == 0 or end == len(frames)
        if begin < end and frames[begin] == value and end - begin < shorter_than and not (inner_only and at_the_edge):
            frames[begin:end] = not value


def _network() -> bytes:
    """The file of the installed distribution, found without importing it."""
    spec = find_spec("silero_vad")
    places = [] if spec is None else spec.submodule_search_locations or []
    for place in places:
        path = Path(place) / "data" / _FILE
        if path.is_file():
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != _SHA256:
                raise DetectorMissing(f"{_FILE} is not the one of silero-vad 6.2.3; install requirements/models.txt")
            return content
    raise DetectorMissing("silero-vad is not installed; install requirements/models.txt without dependencies")
