"""What every embedder promises, by whatever means it makes its vectors."""

from __future__ import annotations

import numpy as np
import pytest

from services.embedding.adapters import Embedder

TEXTS = [
    "",
    " ",
    "\n\t",
    "a",
    "The cat sleeps on the warm windowsill.",
    "Привет, мир! Как дела?",
    "今日は天気がいいですね。",
    "مرحبا بالعالم",
    "👩🏽‍🚀🎙️ e\u0301 \u200b \ufffd",
    "Ünïcödé " * 50,
    "word " * 2_000,
    "x" * 5_000,
]


async def test_vectors_are_float32_rows_of_length_one(embedder: Embedder) -> None:
    vectors = await embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimensions)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)


async def test_nothing_gives_nothing(embedder: Embedder) -> None:
    assert (await embedder.embed([])).shape == (0, embedder.dimensions)


async def test_a_batch_gives_what_each_text_gives_alone(embedder: Embedder) -> None:
    together = await embedder.embed(TEXTS)
    alone = np.concatenate([await embedder.embed([text]) for text in TEXTS])
    assert np.abs(together - alone).max() <= 1e-5


async def test_the_same_text_gives_the_same_vector(embedder: Embedder) -> None:
    first, second = await embedder.embed(TEXTS), await embedder.embed(TEXTS)
    assert np.array_equal(first, second)
    assert np.array_equal(*await embedder.embed(["twice", "twice"]))


@pytest.mark.parametrize(
    ("query", "near", "far"),
    [
        ("a calm voice for bedtime stories", "Soothing narrator of audiobooks", "Energetic sports commentator"),
        ("How do I get my money back?", "Refunds are paid within 14 days.", "Our office opens at nine."),
        ("the dog chased the cat", "a puppy ran after a kitten", "interest rates rose again"),
        ("British English", "an English speaker from London", "an oak table with four chairs"),
    ],
)
async def test_related_texts_are_nearer(embedder: Embedder, query: str, near: str, far: str) -> None:
    vectors = await embedder.embed([query, near, far])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1


async def test_more_texts_than_fit_one_batch_keep_their_order(embedder: Embedder) -> None:
    texts = [f"number {index} " + "and so on " * (index % 7) for index in range(50)]
    vectors = await embedder.embed(texts)
    for index in (0, 17, 49):
        assert vectors[index] @ (await embedder.embed([texts[index]]))[0] == pytest.approx(1, abs=1e-5)
