"""all-MiniLM-L6-v2 written out in float64 numpy: slow, and without anything that the product uses but the weights."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

Array = NDArray[np.float64]


class Reference:
    def __init__(self, safetensors: Path) -> None:
        self._weights = {name: value.astype(np.float64) for name, value in load_file(safetensors).items()}

    def embed(self, tokens: list[int]) -> Array:
        """The vector, of length 1, of one text's tokens."""
        get = self._weights
        x = get["embeddings.word_embeddings.weight"][tokens]
        x = x + get["embeddings.position_embeddings.weight"][: len(tokens)]
        x = x + get["embeddings.token_type_embeddings.weight"][0]
        x = self._norm(x, "embeddings.LayerNorm")
        for index in range(6):
            layer = f"encoder.layer.{index}"
            attended = self._dense(self._attention(x, layer), f"{layer}.attention.output.dense")
            x = self._norm(x + attended, f"{layer}.attention.output.LayerNorm")
            raised = _gelu(self._dense(x, f"{layer}.intermediate.dense"))
            x = self._norm(x + self._dense(raised, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        mean: Array = x.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def _attention(self, x: Array, layer: str) -> Array:
        query, key, value = (
            self._dense(x, f"{layer}.attention.self.{part}").reshape(-1, 12, 32).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(32)
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        joined: Array = (shares @ value).transpose(1, 0, 2).reshape(-1, 384)
        return joined

    def _dense(self, x: Array, name: str) -> Array:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _norm(self, x: Array, name: str) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled: Array = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def _gelu(x: Array) -> Array:
    erf = np.vectorize(math.erf)
    result: Array = 0.5 * x * (1 + erf(x / math.sqrt(2)))
    return result
