from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.speech.text.reading import NOTHING, Reading, spread
from libs.speech.text.ssml import parse_ssml

DOCUMENT = (
    '<speak xml:lang="de"><p>One <break time="0.3s"/>two.</p> <p><prosody rate="1.5"><emphasis>th&amp;ree</emphasis> '
    '<mark name="here"/>four</prosody> <sub alias="World Wide Web">WWW</sub> 😀.</p><break strength="strong"/></speak>'
)


def rendered(inside: str, start: int = 0, end: int | None = None) -> str:
    markup = parse_ssml(f"<speak>{inside}</speak>")
    return markup.render(start, len(markup.plain) if end is None else end).text


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("a &lt;b> &amp;amp; c", "a &lt;b&gt; &amp;amp; c"),
        ('<prosody rate="1.5" pitch="+2st" range="-50%" volume="-6dB">x</prosody>',
         '<prosody rate="150%" pitch="122%" range="50%" volume="50%">x</prosody>'),
        ('<break time=".25s"/>a<break/>', '<break time="250ms"/>a<break/>'),
        ('<say-as interpret-as="digits">12</say-as>', '<say-as interpret-as="telephone">12</say-as>'),
        ('<s xml:lang="fr">a.</s> <s>b.</s>', '<voice xml:lang="fr">a.</voice> <s/>b.'),
        ("<p><s>a.</s></p>\n<p>b.</p>", "a.\n<p/>b."),
        ('a<p>b</p><break time="1s"/><p>c</p>', 'a<p/>b<p/><break time="1000ms"/>c'),
        ('a <prosody rate="2"></prosody>b', "a b"),
        ('<sub alias="A&amp;B">x</sub>', "A&amp;B"),
        ("[[a]] <![CDATA[[]]><mark name='m'/>[[", "[ a]] [<mark name=\"m\"/> ["),
        ("a&#xE000;b", "a b"),
    ],
    ids=["escaped", "prosody", "breaks", "digits", "sentences", "paragraphs", "break", "empty", "sub", "[[", "odd"],
)  # fmt: skip
def test_what_the_engine_is_given(inside: str, expected: str) -> None:
    assert rendered(inside) == expected


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("One. <emphasis>Two.</emphasis> Three", "One. &#32;<emphasis>Two. &#32;</emphasis> Three"),
        ("One.<mark name='x'/>Two", 'One. &#32;<mark name="x"/>Two'),
        ("One!\n<mark name='x'/>Two", 'One!\n<mark name="x"/>Two'),
        ('One." <mark name="x"/><mark name="y"/>Two', 'One." &#32;<mark name="x"/><mark name="y"/>Two'),
        ("approx. <emphasis>two</emphasis>.", "approx. <emphasis>two</emphasis>."),
        ("3.<emphasis>5</emphasis>.", "3.<emphasis>5</emphasis>."),
        ("<emphasis>One.</emphasis>", "<emphasis>One.</emphasis>"),
    ],
    ids=["blank", "none", "line", "quote", "abbreviation", "number", "end"],
)
def test_a_sentence_ends_before_a_tag(inside: str, expected: str) -> None:
    assert rendered(inside) == expected


def test_a_span_has_the_elements_that_are_open_around_it() -> None:
    inside = '<voice gender="female">a <prosody rate="2">bc</prosody> d</voice> e'
    assert rendered(inside, 3, 4) == '<voice gender="female"><prosody rate="200%">c</prosody></voice>'
    assert rendered(inside, 4, 6) == '<voice gender="female"> d</voice>'
    assert rendered(inside, 6, 8) == " e"


def test_origins_lead_to_the_plain_text() -> None:
    markup = parse_ssml(DOCUMENT)
    reading = markup.render(0, len(markup.plain))
    outside_markup = [origin for origin in reading.origins if origin != NOTHING]
    assert outside_markup == sorted(outside_markup)
    spoken = "".join(character for character, origin in zip(reading.text, reading.origins, strict=True) if origin != -1)
    assert spoken == "One two. th&amp;ree four World Wide Web 😀."
    alias = reading.text.index("World")
    www = markup.plain.index("WWW")
    assert reading.origins[alias : alias + 14] == spread(14, www, www + 3)
    assert set(reading.origins[reading.text.index("&amp;") :][:5]) == {markup.plain.index("&")}


def test_a_divided_sub_is_spoken_once() -> None:
    assert rendered('a <sub alias="long word">lw</sub> b', 0, 3) == "a long word"
    assert rendered('a <sub alias="long word">lw</sub> b', 3, 6) == " b"
    assert parse_ssml('<speak>a <sub alias="x">lw</sub> b</speak>').wholes() == [(2, 4)]


def test_endless_dots_are_blanked_through_tags_and_aliases() -> None:
    alias = f'<sub alias="{"a.b." * 15}">x</sub><mark name="m"/>'
    assert "." not in rendered(alias * 9)
    assert "." in rendered(alias)
    assert "." not in rendered("a.b.<mark name='m'/>" * 30)
    assert "." in rendered("a.b.<mark name='m'/>" * 5)


def test_dictionaries_see_runs_of_text_and_nothing_that_is_spelled_out() -> None:
    seen: list[str] = []

    def respell(text: str) -> Reading:
        seen.append(text)
        position = text.find("SQL")
        if position < 0:
            return Reading.plain(text)
        origins = [*range(position), *spread(6, position, position + 3), *range(position + 3, len(text))]
        return Reading(text[:position] + "sequel" + text[position + 3 :], origins)

    source = '<speak>My SQL &amp; <emphasis>SQL</emphasis> <say-as interpret-as="characters">SQL</say-as></speak>'
    reading = parse_ssml(source).render(0, 16, respell)
    assert seen == ["My SQL & ", "SQL", " "]
    assert re.sub("<[^>]*>", "", reading.text) == "My sequel &amp; sequel SQL"
    assert [reading.origins[reading.text.rindex("sequel") + index] for index in (0, 5)] == [9, 11]


def test_pronunciations_are_written_in_the_notation_of_the_engine() -> None:
    markup = parse_ssml('<speak>a [<phoneme alphabet="ipa" ph="təˈmɑːtəʊ">tomato</phoneme> b</speak>')
    assert markup.render(0, 11).text == "a [tomato b"
    reading = markup.render(0, 11, phonemes=lambda ipa: {"təˈmɑːtəʊ": "t@m'A:toU"}[ipa])
    assert reading.text == "a [ [[t@m'A:toU]] b"
    assert list(reading.origins[6:15]) == spread(9, 3, 9)


def test_long_pronunciations_are_written_in_groups() -> None:
    markup = parse_ssml('<speak><phoneme ph="a">xyz</phoneme></speak>')
    for notation in ("h@l'oU " * 70, "'a," * 160):
        text = markup.render(0, 3, phonemes=lambda _, notation=notation: notation).text  # type: ignore[misc]
        groups = re.findall(r"\[\[(.*?)\]\]", text)
        assert max(map(len, groups)) <= 99
        assert "".join(groups).replace(" ", "") == notation.replace(" ", "")


@given(st.lists(st.integers(0, len(parse_ssml(DOCUMENT).plain)), max_size=6))
def test_consecutive_spans_lose_and_double_nothing(cuts: list[int]) -> None:
    markup = parse_ssml(DOCUMENT)
    edges = sorted({0, len(markup.plain), *cuts})
    parts = [markup.render(start, end) for start, end in pairwise(edges)]
    for name, times in (("<break time", 1), ("<break strength", 1), ("<mark", 1), ("World Wide Web", 1), ("<p/>", 2)):
        assert sum(part.text.count(name) for part in parts) == times
    covered = [origin for part in parts for origin in part.origins if origin != NOTHING]
    assert covered == sorted(covered)
    for (start, end), part in zip(pairwise(edges), parts, strict=True):
        assert {origin for origin in part.origins if origin != NOTHING} <= set(range(start, end))


def test_a_break_at_a_border_is_in_the_part_before_it() -> None:
    assert rendered('Hi <break time="1s"/>Ho.', 0, 3) == 'Hi <break time="1000ms"/>'
    assert rendered('Hi <break time="1s"/>Ho.', 3, 6) == "Ho."
    assert rendered('<break time="1s"/>') == '<break time="1000ms"/>'
    assert rendered('<break time="1s"/>Hi', 0, 2) == '<break time="1000ms"/>Hi'


def test_marks_are_told_with_their_places() -> None:
    assert [tuple(mark) for mark in parse_ssml(DOCUMENT).marks] == [("here", 16)]
