from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from services.embedding.adapters import MiniLm
from services.embedding.adapters.minilm_model import FOLDER, TOKENIZER, installed
from tests.integration.embedding_model.reference import Reference

TEXTS = [
    "",
    "a",
    "Soothing and calm, like a self-help audiobook narrator",
    "Привет, мир! Как дела? 今日は天気がいいですね。",
    "The voice reads the text that you give it, sentence by sentence. " * 40,
]
LONG = ["The library of voices is large and every one of them has a story to tell. " * 40] * 40


@pytest.fixture(scope="module")
def tokenizer(model_dir: Path) -> Tokenizer:
    loaded = Tokenizer.from_file(str(model_dir / FOLDER / TOKENIZER))
    loaded.no_padding()
    loaded.enable_truncation(256)
    return loaded


async def test_it_computes_what_the_model_says(minilm: MiniLm, tokenizer: Tokenizer) -> None:
    reference = Reference(installed() / "model.safetensors")
    expected = np.stack([reference.embed(tokenizer.encode(text).ids) for text in TEXTS])
    vectors = (await minilm.embed(TEXTS)).astype(np.float64)
    cosines = (vectors * expected).sum(axis=1) / np.linalg.norm(vectors, axis=1)
    assert (1 - cosines).max() <= 1e-9


async def test_it_says_what_it_is(minilm: MiniLm) -> None:
    assert minilm.model_id == "all-MiniLM-L6-v2"
    assert minilm.dimensions == 384


async def test_the_window_is_256_tokens(minilm: MiniLm) -> None:
    # "word" is one token, and [CLS] and [SEP] take two.
    words = ["word"] * 300
    changed = [" ".join([*words[:place], "different", *words[place + 1 :]]) for place in (130, 253, 254)]
    original, beyond_half, last, outside = await minilm.embed([" ".join(words), *changed])
    assert np.abs(original - beyond_half).max() > 1e-4
    assert np.abs(original - last).max() > 1e-4
    assert np.array_equal(original, outside)


async def test_a_whole_book_costs_no_more_than_its_first_page(minilm: MiniLm) -> None:
    page, book = await minilm.embed(["word " * 300, "word " * 5_000_000])
    assert np.array_equal(page, book)


async def test_threads_do_not_change_the_vectors(minilm: MiniLm, model_dir: Path) -> None:
    wide = await MiniLm.open(model_dir, threads=2)
    assert np.abs(await wide.embed(TEXTS) - await minilm.embed(TEXTS)).max() <= 1e-5
    await wide.close()


async def test_the_event_loop_goes_on_meanwhile(minilm: MiniLm) -> None:
    work = asyncio.create_task(minilm.embed(LONG))
    turns = 0
    while not work.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 1_000


async def test_a_query_does_not_wait_for_a_long_call(minilm: MiniLm) -> None:
    long = asyncio.create_task(minilm.embed(LONG))
    await minilm.embed(["one batch in between"])
    assert not long.done()
    await long


async def test_a_cancelled_call_stops_computing(minilm: MiniLm) -> None:
    started = time.perf_counter()
    await minilm.embed(LONG)
    whole = time.perf_counter() - started
    long = asyncio.create_task(minilm.embed(LONG))
    await minilm.embed(["one batch in between"])
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long
    started = time.perf_counter()
    await minilm.embed(["one batch after"])
    assert time.perf_counter() - started < whole / 2


async def test_waiting_costs_no_processor(minilm: MiniLm, model_dir: Path) -> None:
    wide = await MiniLm.open(model_dir, threads=4)
    await wide.embed(TEXTS)
    before = time.process_time()
    # Nothing to poll for: that nothing happens is what is measured.
    await asyncio.sleep(0.5)
    assert time.process_time() - before < 0.05
    await wide.close()


async def test_nothing_is_embedded_after_closing(model_dir: Path) -> None:
    model = await MiniLm.open(model_dir)
    await model.close()
    with pytest.raises(RuntimeError, match="after shutdown"):
        await model.embed(["late"])
