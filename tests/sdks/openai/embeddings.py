"""Embeddings."""

from __future__ import annotations

from functools import partial
from typing import Any

import openai

from tests.sdks.claiming import claims, failure_of
from tests.sdks.openai.client import client_of

TEXTS = ["The cat sleeps on the sofa.", "A kitten naps on the couch.", "Tax returns are due in April."]


def likeness(one: list[float], other: list[float]) -> float:
    """The cosine of two vectors of length one."""
    return sum(a * b for a, b in zip(one, other, strict=True))


@claims("POST /v1/embeddings")
def what_is_alike_is_near(given: dict[str, Any]) -> None:
    made = client_of(given).embeddings.create(model="text-embedding-3-small", input=TEXTS)
    cat, kitten, tax = (one.embedding for one in made.data)
    assert [one.index for one in made.data] == [0, 1, 2]
    assert abs(likeness(cat, cat) - 1) < 1e-3
    assert likeness(cat, kitten) > likeness(cat, tax) + 0.2
    assert made.usage.total_tokens == sum(map(len, TEXTS))


@claims("POST /v1/embeddings")
def floats_and_base64_are_the_same(given: dict[str, Any]) -> None:
    client = client_of(given, "/v1")
    encoded = client.embeddings.create(model="text-embedding-ada-002", input=TEXTS[0]).data[0].embedding
    plain = client.embeddings.create(model="text-embedding-ada-002", input=TEXTS[0], encoding_format="float")
    assert len(encoded) == 384
    assert max(abs(a - b) for a, b in zip(encoded, plain.data[0].embedding, strict=True)) < 1e-4


@claims("POST /v1/embeddings")
def bad_input_is_named(given: dict[str, Any]) -> None:
    client = client_of(given)
    said: dict[str, Any] = {"model": "text-embedding-3-small", "input": "a text"}
    for wrong, param in (
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": [1, 2, 3]}, "input"),
        ({"input": ["x"] * 257}, "input"),
        ({"dimensions": 77}, "dimensions"),
    ):
        error = failure_of(partial(client.embeddings.create, **(said | wrong)), openai.BadRequestError)
        assert error.param == param, (wrong, error.body)
    unknown = failure_of(lambda: client.embeddings.create(model="word2vec", input="a"), openai.NotFoundError)
    assert unknown.code == "model_not_found"
