"""Models with the inputs and outputs of real ones and a few random weights, which load in milliseconds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

HOP = 64
"""Samples of a frame of the Piper model."""

PIPER_RATE = 16_000
KOKORO_FRAME = 100
"""Samples of a frame of the Kokoro model."""

_VOCABULARY = 256

Weights = npt.NDArray[np.float32] | npt.NDArray[np.int64]


def piper_durations() -> list[int]:
    """Frames of each phoneme id, of a length scale of 1."""
    return [4 + index * 7 % 9 for index in range(_VOCABULARY)]


def write_piper(path: Path, *, speakers: Mapping[str, int] | None = None, text_phonemes: bool = False) -> Path:
    """A voice for Piper: every id sounds for its own number of frames, at its own pitch, with noise on top.

    With `text_phonemes` a phoneme is a character; else eSpeak NG makes them, in American English.
    """
    constants = _piper_constants()
    nodes = _piper_nodes()
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, [1, "phonemes"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    if speakers:
        inputs.append(helper.make_tensor_value_info("sid", TensorProto.INT64, [1]))
        constants["by_speaker"] = np.linspace(0.2, 1.0, len(speakers)).astype(np.float32)
        nodes += [_node("Gather", "by_speaker sid", "gain"), _node("Mul", "mixed gain", "spoken")]
    else:
        nodes.append(_node("Identity", "mixed", "spoken"))
    nodes.append(_node("Reshape", "spoken shape", "output"))
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, 1, "time"])]
    _save(path, nodes, inputs, outputs, constants)
    path.with_name(f"{path.name}.json").write_text(json.dumps(_piper_settings(speakers or {}, text_phonemes)))
    return path


def _piper_constants() -> dict[str, Weights]:
    generator = np.random.default_rng(7)
    return {
        "durations": np.array(piper_durations(), np.float32),
        "levels": generator.uniform(0.1, 0.8, _VOCABULARY).astype(np.float32),
        "at_noise": np.array([0], np.int64),
        "at_length": np.array([1], np.int64),
        "hop": np.array([HOP], np.int64),
        "hop_whole": np.array(HOP, np.int64),
        "zero": np.array(0, np.int64),
        "one": np.array(1, np.int64),
        "axis": np.array([1], np.int64),
        "column": np.array([-1, 1], np.int64),
        "flat": np.array([-1], np.int64),
        "shape": np.array([1, 1, 1, -1], np.int64),
    }


def _piper_nodes() -> list[onnx.NodeProto]:
    return [
        _node("Reshape", "input flat", "ids"),
        _node("Gather", "scales at_noise", "noise_scale"),
        _node("Gather", "scales at_length", "length_scale"),
        _node("Gather", "durations ids", "widths"),
        _node("Mul", "widths length_scale", "scaled"),
        _node("Ceil", "scaled", "w_ceil_flat"),
        _node("Cast", "w_ceil_flat", "whole", to=TensorProto.INT64),
        _node("CumSum", "whole zero", "edges"),
        _node("ReduceSum", "whole", "total", keepdims=0),
        _node("Range", "zero total one", "frames"),
        _node("Reshape", "frames column", "frames_column"),
        _node("GreaterOrEqual", "frames_column edges", "passed"),
        _node("Cast", "passed", "passed_whole", to=TensorProto.INT32),
        _node("ReduceSum", "passed_whole axis", "index", keepdims=0),
        _node("Gather", "levels ids", "level_of_id"),
        _node("Gather", "level_of_id index", "level_of_frame"),
        _node("Reshape", "level_of_frame column", "level_column"),
        _node("Reshape", "total flat", "total_shape"),
        _node("Concat", "total_shape hop", "plane", axis=0),
        _node("Expand", "level_column plane", "level_plane"),
        _node("Reshape", "level_plane flat", "level"),
        _node("Mul", "total hop_whole", "samples"),
        _node("Range", "zero samples one", "clock"),
        _node("Cast", "clock", "clock_float", to=TensorProto.FLOAT),
        _node("Mul", "clock_float level", "phase"),
        _node("Sin", "phase", "tone"),
        _node("Mul", "tone level", "voice"),
        _node("RandomNormalLike", "voice", "noise"),
        _node("Mul", "noise noise_scale", "hiss"),
        _node("Add", "voice hiss", "mixed"),
    ]


def _piper_settings(speakers: Mapping[str, int], text_phonemes: bool) -> dict[str, object]:
    from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

    ids: dict[str, list[int]] = dict(DEFAULT_PHONEME_ID_MAP)
    if text_phonemes:
        ids |= {chr(code): [code] for code in range(32, 127)} | {"_": [0], "^": [1], "$": [2]}
    return {
        "audio": {"sample_rate": PIPER_RATE},
        "espeak": {"voice": "en-us"},
        "phoneme_type": "text" if text_phonemes else "espeak",
        "num_symbols": _VOCABULARY,
        "num_speakers": max(1, len(speakers)),
        "speaker_id_map": speakers,
        "inference": {"noise_scale": 0.0, "length_scale": 1.0, "noise_w": 0.8},
        "phoneme_id_map": ids,
        "hop_length": HOP,
    }


def write_kokoro(path: Path, *, durations: bool) -> Path:
    """A model for Kokoro: twelve frames for each token, each token at its own level, coloured by the style.

    With `durations` it reports them, as exports with timings do.
    """
    generator = np.random.default_rng(11)
    constants: dict[str, Weights] = {
        "levels": generator.uniform(0.2, 0.8, _VOCABULARY).astype(np.float32),
        "frames": np.array([12.0], np.float32),
        "frame": np.array(KOKORO_FRAME, np.int64),
        "flat": np.array([-1], np.int64),
        "column": np.array([-1, 1], np.int64),
        "zero": np.array(0, np.int64),
        "one": np.array(1, np.int64),
    }
    nodes = [
        _node("Reshape", "input_ids flat", "ids"),
        _node("Shape", "ids", "count"),
        _node("Div", "frames speed", "slower"),
        _node("Ceil", "slower", "each"),
        _node("Cast", "each", "each_whole", to=TensorProto.INT64),
        _node("Expand", "each_whole count", "duration"),
        _node("Mul", "each_whole frame", "samples_each"),
        _node("Concat", "count samples_each", "plane", axis=0),
        _node("Gather", "levels ids", "level"),
        _node("Reshape", "level column", "level_column"),
        _node("Expand", "level_column plane", "grid"),
        _node("Reshape", "grid flat", "line"),
        _node("Shape", "line", "line_shape"),
        _node("ReduceSum", "line_shape", "total", keepdims=0),
        _node("Range", "zero total one", "clock"),
        _node("Cast", "clock", "clock_float", to=TensorProto.FLOAT),
        _node("Mul", "clock_float line", "phase"),
        _node("Sin", "phase", "tone"),
        _node("ReduceMean", "style", "colour", keepdims=0),
        _node("Mul", "tone colour", "audio"),
    ]
    inputs = [
        helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"]),
        helper.make_tensor_value_info("style", TensorProto.FLOAT, [1, 256]),
        helper.make_tensor_value_info("speed", TensorProto.FLOAT, [1]),
    ]
    outputs = [helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["time"])]
    if durations:
        outputs.append(helper.make_tensor_value_info("duration", TensorProto.INT64, ["tokens"]))
    _save(path, nodes, inputs, outputs, constants)
    return path


def write_kokoro_voices(path: Path, names: Sequence[str]) -> Path:
    """A voices file with a style of its own for each name."""
    styles = {name: np.full((510, 1, 256), 0.3 + 0.1 * index, np.float32) for index, name in enumerate(names)}
    with path.open("wb") as file:
        np.savez(file, **styles)  # type: ignore[arg-type]  # numpy's stub takes the names of arrays for its options
    return path


def _node(operator: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:  # as ONNX has it
    return helper.make_node(operator, inputs.split(), [output], **attributes)


def _save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: Mapping[str, Weights],
) -> None:
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
