"""What is read from a query, and in which order its words are looked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.embedding.domain import Vocabulary, Words, fuse_documents, read_words, weigh, worded_weight
from services.embedding.domain.words import ALL, ANY, WORDS_MOST
from tests.unit.embedding_service.test_hits import ranked

MOST = 500
CHUNKS = 90_000
COMMON = Vocabulary(256, {"the": 250, "is": 200, "harbour": 15, "engine": 40})


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("what does E1043 mean", Words(("what", "does", "e1043", "mean"), [], [])),
        ("cat cat CAT", Words(("cat",), [], [])),
        ('"a phrase" and more', Words(("and", "more"), ["a phrase"], [])),
        ('cats -dogs -"hot dogs"', Words(("cats",), [], ["dogs", "hot dogs"])),
        ("what is --max-old-space-size", Words(("what", "is", "max-old-space-size"), [], [])),
        ("cats or dogs", Words(("cats", "dogs"), [], [], has_choice=True)),
        ("or", Words(("or",), [], [], has_choice=True)),
        ('never "closed', Words(("never",), ["closed"], [])),
        ("& | ! <-> :* (((", Words((), [], [])),
        ("KX-2201, P60.", Words(("kx-2201,", "p60."), [], [])),
    ],
)
def test_a_query_is_read_as_people_write_it(query: str, words: Words) -> None:
    assert read_words(query) == words


def test_rare_words_weigh_most_and_are_looked_for_first() -> None:
    weighed = weigh(read_words("is the engine of the harbour e1043"), COMMON, CHUNKS, MOST)
    assert weighed.words[:2] == ["e1043", "of"]
    assert weighed.words[2:] == ["harbour", "engine", "is", "the"]
    assert list(weighed.weights) == sorted(weighed.weights, reverse=True)
    assert weighed.combinations == [(1, 2), (1,), (2,), (3, 4, 5), (3,), ANY]


def test_words_that_only_together_are_rare_are_looked_for_in_pairs() -> None:
    vocabulary = Vocabulary(256, {"harbour": 15, "engine": 15, "is": 200})
    assert weigh(read_words("harbour engine is"), vocabulary, CHUNKS, MOST).combinations == [
        (1, 2, 3),
        (1, 2),
        (1,),
        ANY,
    ]


def test_a_word_that_no_sample_has_is_looked_for_however_many_chunks_there_are() -> None:
    """Before others fill what is looked at: there may be one chunk with it."""
    weighed = weigh(read_words("harbour sup-4417"), COMMON, 10**8, MOST)
    assert weighed.words[0] == "sup-4417"
    assert weighed.combinations.index((1,)) < weighed.combinations.index((2,))


def test_what_has_a_choice_or_no_words_is_looked_for_as_it_is() -> None:
    assert weigh(read_words("cat or dog"), COMMON, CHUNKS, MOST).combinations[0] == ALL
    assert weigh(read_words('"a phrase"'), COMMON, CHUNKS, MOST).combinations == [ALL]


@given(st.text(alphabet='ab -"or\u00e9.', max_size=60), st.integers(0, 10**6), st.integers(0, 300))
def test_any_query_can_be_weighed(query: str, chunks: int, sampled: int) -> None:
    words = read_words(query)
    weighed = weigh(words, Vocabulary(sampled, {"a": sampled} if sampled else {}), chunks, MOST)
    assert sorted(weighed.words) == sorted(words.any_of)
    assert len(weighed.weights) == min(len(weighed.words), WORDS_MOST)
    assert all(weight >= 0 for weight in weighed.weights)
    assert weighed.combinations[-1] == (ANY if words.any_of else ALL)


def test_a_place_counts_as_much_as_the_chunk_has_of_what_is_asked_for() -> None:
    assert [worded_weight(score) for score in (0.5, 1.0, 2.3)] == [0.0625, 1.0, 1.0]
    near = [ranked(1), ranked(2)]
    few = [ranked(3), ranked(2)]
    weak = [type(one)(one.chunk_id, one.document_id, 0.5, None, worded_weight(0.5)) for one in few]
    assert [one.document_id.int for one in fuse_documents([near, few], 10)] == [2, 1, 3]
    assert [one.document_id.int for one in fuse_documents([near, weak], 10)] == [2, 1, 3]
    assert fuse_documents([near, weak], 10)[0].score == pytest.approx(1 / 62 + 0.0625 / 62)
