"""all-MiniLM-L6-v2 as an ONNX graph, from its safetensors: `python -m ... SAFETENSORS FOLDER`.

Architecture: BERT with 6 layers, 384 wide, 12 heads (config.json of sentence-transformers/all-MiniLM-L6-v2), then the
mean over the tokens that the mask keeps, then length 1 (its modules.json).

The words' vectors, half of the model, stay outside the graph: a text needs a few rows of them, which its caller
reads from the mapped file. The other matrices are external data, which onnxruntime maps too instead of reading.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors import safe_open

from services.embedding.adapters.minilm_model import GRAPH, WEIGHTS, WORDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

LAYERS: Final = 6
WIDTH: Final = 384
HEADS: Final = 12
WINDOW: Final = 256  # max_seq_length of sentence_bert_config.json; positions beyond it were never trained for
EPSILON: Final = 1e-12  # layer_norm_eps
_MASKED: Final = -1e9  # what the softmax turns into exactly 0
_PAGE: Final = 65_536  # mapped offsets suit every page size
_OPSET: Final = 20  # the first with Gelu
_IR_VERSION: Final = 9


class _Graph:
    """Collects nodes and constants; small constants lie in the graph, matrices in `weights`."""

    def __init__(self, weights: BinaryIO) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._weights = weights

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:  # Any: as onnx has it
        name = output or f"{operator}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: Floats | NDArray[np.int64]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(f"integers.{len(self.constants)}", np.array(values, np.int64))

    def scalar(self, value: float) -> str:
        return self.constant(f"scalar.{len(self.constants)}", np.array(value, np.float32))

    def matrix(self, name: str, value: Floats) -> str:
        data = np.ascontiguousarray(value, np.float32).tobytes()
        self._weights.write(bytes(-self._weights.tell() % _PAGE))
        tensor = TensorProto(
            name=name, data_type=TensorProto.FLOAT, dims=value.shape, data_location=TensorProto.EXTERNAL
        )
        for key, entry in (("location", WEIGHTS), ("offset", self._weights.tell()), ("length", len(data))):
            tensor.external_data.add(key=key, value=str(entry))
        self._weights.write(data)
        self.constants.append(tensor)
        return name


class _Bert:
    """Writes the layers of the model; a method takes and returns the name of a (batch, token, width) tensor."""

    def __init__(self, graph: _Graph, tensors: safe_open) -> None:
        self._graph = graph
        self._tensors = tensors

    def tensor(self, name: str) -> Floats:
        value: Floats = self._tensors.get_tensor(name)  # type: ignore[no-untyped-call]  # safetensors has no types
        return value

    def embedded(self, words: str, mask: str) -> str:
        add = self._graph.add
        # Every token is of the first segment, so its vector is part of the position's.
        positions = self.tensor("embeddings.position_embeddings.weight")[:WINDOW]
        positions = positions + self.tensor("embeddings.token_type_embeddings.weight")[0]
        tokens = add("Shape", mask, start=1, end=2)
        zero = self._graph.integers(0)
        rows = add("Slice", self._graph.matrix("positions", positions), zero, tokens, zero)
        return self._normalised(add("Add", words, rows), "embeddings.LayerNorm")

    def layer(self, x: str, index: int, penalty: str) -> str:
        add = self._graph.add
        prefix = f"encoder.layer.{index}"
        attended = self._attention(x, f"{prefix}.attention.self", penalty)
        attended = self._dense(attended, f"{prefix}.attention.output.dense")
        x = self._normalised(add("Add", x, attended), f"{prefix}.attention.output.LayerNorm")
        raised = add("Gelu", self._dense(x, f"{prefix}.intermediate.dense"))
        lowered = self._dense(raised, f"{prefix}.output.dense")
        return self._normalised(add("Add", x, lowered), f"{prefix}.output.LayerNorm")

    def _attention(self, x: str, name: str, penalty: str) -> str:
        add, integers = self._graph.add, self._graph.integers

        def heads(part: str, order: list[int]) -> str:
            split = add("Reshape", self._dense(x, f"{name}.{part}"), integers(0, 0, HEADS, WIDTH // HEADS))
            return add("Transpose", split, perm=order)

        scores = add("MatMul", heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]))
        scores = add("Mul", scores, self._graph.scalar((WIDTH // HEADS) ** -0.5))
        shares = add("Softmax", add("Add", scores, penalty), axis=-1)
        joined = add("Transpose", add("MatMul", shares, heads("value", [0, 2, 1, 3])), perm=[0, 2, 1, 3])
        return add("Reshape", joined, integers(0, 0, WIDTH))

    def _dense(self, x: str, name: str) -> str:
        weight = self._graph.matrix(f"{name}.weight", self.tensor(f"{name}.weight").T)
        bias = self._graph.constant(f"{name}.bias", self.tensor(f"{name}.bias"))
        return self._graph.add("Add", self._graph.add("MatMul", x, weight), bias)

    def _normalised(self, x: str, name: str) -> str:
        weight = self._graph.constant(f"{name}.weight", self.tensor(f"{name}.weight"))
        bias = self._graph.constant(f"{name}.bias", self.tensor(f"{name}.bias"))
        return self._graph.add("LayerNormalization", x, weight, bias, axis=-1, epsilon=EPSILON)


def _pooled(graph: _Graph, x: str, mask: str) -> str:
    """Mean over the kept tokens, at length 1."""
    kept = graph.add("Unsqueeze", mask, graph.integers(2))
    summed = graph.add("ReduceSum", graph.add("Mul", x, kept), graph.integers(1), keepdims=0)
    mean = graph.add("Div", summed, graph.add("ReduceSum", mask, graph.integers(1), keepdims=1))
    length = graph.add("ReduceL2", mean, graph.integers(1), keepdims=1)
    return graph.add("Div", mean, graph.add("Max", length, graph.scalar(EPSILON)), output="vectors")


def build(safetensors: Path, folder: Path) -> None:
    """Write the graph, its matrices and the words' vectors into `folder`.

    The graph takes `words` (batch, token, 384) float32 and `mask` (batch, token) float32 of 1 and 0, at most 256
    tokens, and gives `vectors` (batch, 384) float32 of length 1.
    """
    with safe_open(safetensors, framework="np") as tensors, (folder / WEIGHTS).open("wb") as weights:
        graph = _Graph(weights)
        bert = _Bert(graph, tensors)
        missing = graph.add("Sub", graph.scalar(1.0), "mask")
        penalty = graph.add("Unsqueeze", graph.add("Mul", missing, graph.scalar(_MASKED)), graph.integers(1, 2))
        x = bert.embedded("words", "mask")
        for index in range(LAYERS):
            x = bert.layer(x, index, penalty)
        _pooled(graph, x, "mask")
        (folder / WORDS).write_bytes(bert.tensor("embeddings.word_embeddings.weight").astype("<f4").tobytes())
    described = helper.make_graph(
        graph.nodes,
        "all-MiniLM-L6-v2",
        [
            helper.make_tensor_value_info("words", TensorProto.FLOAT, ["batch", "token", WIDTH]),
            helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["batch", "token"]),
        ],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", WIDTH])],
        graph.constants,
    )
    model = helper.make_model(described, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    (folder / GRAPH).write_bytes(model.SerializeToString())
    onnx.checker.check_model(folder / GRAPH)  # by path: the checker then sees the external data too


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
