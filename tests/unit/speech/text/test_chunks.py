"""Chunks cover the text, begin early, and survive edits elsewhere."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.speech.text.chunks import split_chunks, split_revised
from libs.speech.text.sentences import split_sentences

STORIES = {
    "en": ["The old ship number {} sailed home. ", "Nobody saw Dr. Brown's {} crates, did they? ", "At {} we ate! "],
    "de": [
        "Das alte Schiff {} fuhr heim. ",
        "Am 3. Mai kam Dr. Braun mit {} Kisten, z. B. Holz? ",
        "Um {} aßen wir! ",
    ],
    "ru": ["Старый корабль {} ушёл. ", "Никто, т. е. ни один из {} людей, его не видел? ", "В {} мы ели! "],
    "ja": ["{}番の古い船が家に帰りました。", "港では誰も{}個の箱を見ませんでしたか？", "{}時に食べました！"],
    "hi": ["पुराना जहाज नंबर {} घर लौटा। ", "बंदरगाह पर किसी ने {} बक्से नहीं देखे? ", "{} बजे हमने खाया। "],
}


def story(language: str, *, length: int = 5000) -> str:
    parts: list[str] = []
    while sum(map(len, parts)) < length:
        number = len(parts) + 1
        sentence = STORIES[language][number * 7 % 3].format(number * 37)
        parts.append(sentence.rstrip() + "\n\n" if number % 17 == 0 else sentence)
    return "".join(parts)


def texts(text: str, spans: list[tuple[int, int]]) -> list[str]:
    assert "".join(text[start:end] for start, end in spans) == text
    return [text[start:end] for start, end in spans]


@pytest.mark.parametrize("language", STORIES)
def test_chunks_are_groups_of_sentences(language: str) -> None:
    text = story(language)
    chunks = split_chunks(text, language)
    assert {end for _, end in chunks} <= {end for _, end in split_sentences(text, language)}
    assert chunks[0] == split_sentences(text, language)[0]
    assert all(len(chunk.strip()) <= 600 for chunk in texts(text, chunks))
    assert all("\n\n" not in chunk.strip() for chunk in texts(text, chunks))
    assert 2 < len(split_sentences(text, language)) / len(chunks) < 5


@pytest.mark.parametrize("language", STORIES)
def test_editing_any_one_sentence_changes_one_chunk(language: str) -> None:
    text = story(language)
    previous = texts(text, split_chunks(text, language))
    for start, end in split_sentences(text, language):
        old = text[start:end]
        core = old.rstrip()
        for new in (core[:-1] + " 7" + core[-1], f"9 {core[: len(core) // 2]}{core[-1]}"):
            edited = text[:start] + new + old[len(core) :] + text[end:]
            chunks = texts(edited, split_revised(edited, language, previous))
            assert (Counter(chunks) - Counter(previous)).total() == 1
            assert len(chunks) == len(previous)


def test_a_sentence_may_grow_without_parting_its_chunk() -> None:
    text = "".join(
        f"This is the sentence of number {number}, which is neither long nor short. " for number in range(80)
    )
    previous = texts(text, split_chunks(text, "en"))
    assert max(map(len, previous)) > 450
    for _, end in split_sentences(text, "en")[1:]:
        edited = (
            text[: end - 2] + ", and it says far more than it did before it was edited by its author" + text[end - 2 :]
        )
        assert (Counter(texts(edited, split_revised(edited, "en", previous))) - Counter(previous)).total() == 1


@pytest.mark.parametrize("language", STORIES)
def test_an_edit_moves_few_chunks_even_when_the_ones_before_are_unknown(language: str) -> None:
    text = story(language, length=20_000)
    middle = split_sentences(text, language)[100][0]
    edited = text[:middle] + "X. " + text[middle:]
    before, after = (Counter(texts(each, split_chunks(each, language))) for each in (text, edited))
    assert (after - before).total() <= 6


def test_what_was_not_changed_is_chunked_as_it_was() -> None:
    text = story("en")
    previous = texts(text, split_chunks(text, "en"))
    assert texts(text, split_revised(text, "en", previous)) == previous


def test_appended_text_leaves_all_chunks() -> None:
    text = story("en").rstrip()
    previous = texts(text, split_chunks(text, "en"))
    for more in (" And more.", "\n\nAnd more."):
        assert texts(text + more, split_revised(text + more, "en", previous))[:-1] == previous


def test_what_joins_with_a_chunk_is_not_parted_from_it() -> None:
    assert texts("好。」好。", split_revised("好。」好。", "zh", ["好。", "好。"])) == ["好。」", "好。"]
    assert texts("Go home.com now.", split_revised("Go home.com now.", "en", ["Go home."])) == ["Go home.com now."]
    assert texts("A b.\u0301", split_revised("A b.\u0301", "en", ["A b."])) == ["A b.\u0301"]


def test_white_space_alone_is_no_chunk() -> None:
    assert texts("One.\n\n\n", split_revised("One.\n\n\n", "en", ["One."])) == ["One.\n\n\n"]
    assert texts("\n One.", split_revised("\n One.", "en", ["One."])) == ["\n One."]
    assert split_chunks(" \n ", "en") == [(0, 3)]
    assert split_revised(" \n ", "en", ["One."]) == [(0, 3)]
    assert split_chunks("", "en") == split_revised("", "en", ["One."]) == []


@given(st.data(), st.sampled_from(tuple(STORIES)))
def test_any_edit_keeps_the_chunks_before_and_after_it(data: st.DataObject, language: str) -> None:
    text = story(language, length=1500)
    previous = texts(text, split_chunks(text, language))
    first = data.draw(st.integers(0, len(previous)))
    last = data.draw(st.integers(first, len(previous)))
    head, tail = "".join(previous[:first]), "".join(previous[last:])
    new = data.draw(st.lists(st.sampled_from(["Yes. ", "No! ", "What 3.5?\n\n", "So it is, e.g. here. "]), max_size=8))
    edited = head + "".join(new) + tail
    chunks = texts(edited, split_revised(edited, language, previous))
    assert chunks[:first] == previous[:first]
    assert len(previous) == last or chunks[last - len(previous) :] == previous[last:]


@given(st.text("aB. \n。\u0301!", max_size=80), st.text("aB. \n。\u0301!", max_size=80), st.integers(1, 30))
def test_any_text_is_covered(text: str, other: str, most: int) -> None:
    previous = texts(other, split_chunks(other, "en", most=most))
    for chunks in (split_chunks(text, "en", most=most), split_revised(text, "en", previous, most=most)):
        assert all(texts(text, chunks))
        assert text.isspace() or not any(chunk.isspace() for chunk in texts(text, chunks))


def test_a_million_characters_take_less_than_four_seconds() -> None:
    text = story("en", length=10_000) * 100
    began = time.process_time()
    previous = texts(text, split_chunks(text, "en"))
    edited = text[:500_000] + " More. " + text[500_000:]
    split_revised(edited, "en", previous)
    assert time.process_time() - began < 4.0
