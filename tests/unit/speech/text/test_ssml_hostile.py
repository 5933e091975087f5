"""Documents that mean harm, or nothing at all: they are refused or read, in time and memory that they are worth."""

from __future__ import annotations

import tracemalloc
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.speech.text.reading import NOTHING
from libs.speech.text.ssml import Markup, SsmlError, parse_ssml

CHARACTERS = 1_000_000
HOSTILE = {
    "lines": "<speak>" + "a\n" * (CHARACTERS // 2) + "</speak>",
    "wide": "<speak>" + "😀" * CHARACTERS + "</speak>",
    "wide lines": "<speak>" + "\n😀" * (CHARACTERS // 2) + "</speak>",
    "references": "<speak>" + "&amp;é" * (CHARACTERS // 6) + "</speak>",
    "numbers": "<speak>" + "&#128512;" * (CHARACTERS // 9) + "</speak>",
    "paragraphs": "<speak>" + ("<p>" + "é" * 90 + "</p>") * 9_999 + "</speak>",
    "deep": "<speak>" + "<p>" * (CHARACTERS // 3),
    "unknown": "<speak>" + "<a>" * (CHARACTERS // 3),
    "attributes": "<speak " + " ".join(f'a{index}="1"' for index in range(CHARACTERS // 10)) + "/>",
    "value": '<speak><sub alias="' + "x" * CHARACTERS + '">x</sub></speak>',
    "name": "<" + "a" * CHARACTERS + "/>",
    "entity": "<speak>&" + "a" * CHARACTERS + ";</speak>",
    "bombs": '<!DOCTYPE l [<!ENTITY a "' + "ha" * 400_000 + '"><!ENTITY b "&a;&a;&a;&a;">]><speak>&b;</speak>',
    "brackets": "<" * CHARACTERS,
    "ampersands": "<speak>" + "&" * CHARACTERS,
    "comment": "<speak><!--" + "- " * (CHARACTERS // 2) + "--></speak>",
    "open comment": "<speak><!--" * (CHARACTERS // 11),
    "cdata": "<speak><![CDATA[" + "]" * CHARACTERS + "]]></speak>",
    "spaces": "<speak" + " " * CHARACTERS,
    "dots": "<speak>" + "a.<mark name='m'/>" * 9_000 + "</speak>",
}


def parsed_or_refused(source: str) -> Markup | SsmlError:
    try:
        return parse_ssml(source)
    except SsmlError as refused:
        return refused


@pytest.mark.parametrize("name", HOSTILE)
def test_a_million_characters_are_read_in_two_seconds(name: str) -> None:
    began = process_time()
    parsed = parsed_or_refused(HOSTILE[name])
    assert process_time() - began < 2
    if isinstance(parsed, SsmlError):
        assert 0 < len(parsed.problems) <= 100
        assert len(str(parsed)) < 30_000
    else:
        began = process_time()
        parsed.render(0, len(parsed.plain))
        assert process_time() - began < 3


@pytest.mark.parametrize("name", ["wide", "bombs", "deep", "attributes"])
def test_memory_is_in_proportion(name: str) -> None:
    tracemalloc.start()
    try:
        parsed_or_refused(HOSTILE[name])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000_000


FRAGMENTS = st.sampled_from(
    [
        "<speak>", "</speak>", "<p>", "</p>", "<s>", "</s>", "<break time='1s'/>", "<break", "/>", "<", ">", "&",
        "&amp;", "&#x41;", "&#0;", "&#xD800;", "&#x110000;", "&x;", "<prosody rate='2'>", "</prosody>",
        "<sub alias='b c'>", "</sub>", "<!--", "-->", "<![CDATA[", "]]>", "<?x?>", "<!DOCTYPE a>", "<phoneme ph='ə'>",
        "<?xml version='1.0' encoding='utf-16'?>", "</phoneme>", "<lang xml:lang='de'>", "</lang>", "\x00", "\r", "\n",
        "😀", "\ud800", "\ufeff", " ", "[[", "a.", "xml:lang=''", '"', "'",
    ]
)  # fmt: skip


@given(st.lists(FRAGMENTS | st.text(max_size=5), max_size=20).map("".join), st.booleans(), st.data())
def test_nothing_but_problems_comes_of_any_document(inside: str, whole: bool, data: st.DataObject) -> None:
    source = f"<speak>{inside}</speak>" if whole else inside
    markup = parsed_or_refused(source)
    if isinstance(markup, SsmlError):
        assert markup.problems
        for problem in markup.problems:
            assert 0 <= problem.position <= len(source)
            line = source.split("\n")[problem.line - 1]
            assert 1 <= problem.column <= len(line) + 1
        return
    length = len(markup.plain)
    assert len(markup.origins) == length
    assert all(source[at] in (character, "&", "\r") for character, at in zip(markup.plain, markup.origins, strict=True))
    start = data.draw(st.integers(0, length))
    reading = markup.render(start, data.draw(st.integers(start, length)))
    places = [origin for origin in reading.origins if origin != NOTHING]
    assert places == sorted(places)
    assert "[[" not in reading.text
