"""What is read of HTML and subtitles, what is marked in a passage, and what fits into a prompt."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.embedding.domain import Hit, TextFormat, highlights, read_text, tokens_of, within_budget

PAGE = """<!doctype html><html><head><title>Not this</title><style>p {color: red}</style></head>
<body><h1>Refunds</h1><p>Money comes back &amp; soon,<br>in <b>14</b> days.</p>
<script>alert("no")</script><ul><li>By card</li><li>By bank</li></ul></body></html>"""
SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Hello</i> there.

2
00:00:03,000 --> 00:00:04,000
{\\an8}General
remarks.
"""
VTT = "WEBVTT\nKind: captions\n\nintro\n00:01.000 --> 00:02.000 align:start\n<v Ann>Good</v> morning.\n"


def test_html_is_read_as_people_see_it() -> None:
    assert read_text("1 < 2 &lt; 3 <!-- no -->and<br/>so", TextFormat.HTML) == "1 < 2 < 3 and\nso"
    assert read_text("a<p title='unclosed", TextFormat.HTML) == "a"
    assert read_text(PAGE, TextFormat.HTML) == "Refunds\n\nMoney comes back & soon,\nin 14 days.\n\nBy card\n\nBy bank"


@pytest.mark.parametrize(("content", "read"), [(SRT, "Hello there.\n\nGeneral\nremarks."), (VTT, "Good morning.")])
def test_subtitles_are_read_without_their_times(content: str, read: str) -> None:
    assert read_text(content, TextFormat.SUBTITLES) == read


@pytest.mark.parametrize("form", [TextFormat.TEXT, TextFormat.MARKDOWN])
@given(content=st.text())
def test_text_stays_as_it_is(form: TextFormat, content: str) -> None:
    assert read_text(content, form) == content


@pytest.mark.parametrize("form", [TextFormat.HTML, TextFormat.SUBTITLES])
@given(content=st.text(alphabet="<>&/!-=\"' \nabp;0:,.{}\\"))
def test_nothing_is_too_odd_to_be_read(form: TextFormat, content: str) -> None:
    read_text(content, form)


@pytest.mark.parametrize("form", [TextFormat.HTML, TextFormat.SUBTITLES])
@pytest.mark.parametrize("piece", ["<", "<a ", "<!--", "&", "</", "{\\", "0:0", "\n \n", "<p>", "<script>", "< "])
def test_a_million_of_anything_is_read_in_time(form: TextFormat, piece: str) -> None:
    read_text(piece * (1_000_000 // len(piece)), form)


def test_words_are_marked_in_any_case() -> None:
    text = "Cats, CATS and a cat: the Straße of cats."
    assert [text[start:end] for start, end in highlights(text, "cats strasse!")] == ["Cats", "CATS", "Straße", "cats"]


@pytest.mark.parametrize(
    ("text", "query", "marked"),
    [
        ("Le cafe\u0301 est ferme\u0301", "CAF\u00c9", ["cafe\u0301"]),
        ("Le caf\u00e9", "cafe\u0301", ["caf\u00e9"]),
        (
            "\u0939\u093f\u0928\u094d\u0926\u0940 \u092d\u093e\u0937\u093e",
            "\u0939\u093f\u0928\u094d\u0926\u0940",
            ["\u0939\u093f\u0928\u094d\u0926\u0940"],
        ),
        ("\U0001f44b\U0001f3fd world \U0001f30d", "World", ["world"]),
        ("商品は三十日以内に返品できます", "返品 三十日", ["三十日", "返品"]),
        ("ราคาสินค้าแพง", "สินค้า", ["สินค้า"]),
        ("İstanbul and ﬁne ２０２６", "fine 2026", ["ﬁne", "２０２６"]),
        ("a_b a-b", "a", ["a"]),
        ("nothing of it", "🎙️ —", []),
        ("one " * 80, "one", ["one"] * 50),
    ],
)
def test_words_are_marked_where_they_stand_in_any_script(text: str, query: str, marked: list[str]) -> None:
    assert [text[start:end] for start, end in highlights(text, query)] == marked


@given(text=st.text(max_size=200), query=st.text(max_size=50))
def test_marks_are_in_order_within_the_text_and_apart(text: str, query: str) -> None:
    last = 0
    for start, end in highlights(text, query):
        assert last <= start < end <= len(text)
        last = end


def passage(document: int, start: int, text: str, similarity: float = 0.5) -> Hit:
    return Hit(UUID(int=document), "knowledge", "1", "T", text, similarity, similarity, start, start + len(text), {})


def test_what_overlaps_is_told_once() -> None:
    whole = "".join(f"word{number:03} " for number in range(300))
    found = [passage(1, 800, whole[800:1800]), passage(2, 0, "another"), passage(1, 0, whole[0:1000])]
    first, second = within_budget(found, 10_000)
    assert (first.start, first.end, first.text) == (0, 1800, whole[:1800])
    assert second.text == "another"


def test_what_is_too_long_makes_room_for_the_next() -> None:
    found = [passage(1, 0, "a" * 400), passage(2, 0, "b" * 4000), passage(3, 0, "c" * 100)]
    assert [hit.text[0] for hit in within_budget(found, 200)] == ["a", "c"]


def test_what_several_documents_say_is_told_once() -> None:
    found = [passage(1, 0, "the same"), passage(2, 0, "another"), passage(3, 40, "the same")]
    assert [(hit.document_id.int, hit.text) for hit in within_budget(found, 100)] == [(1, "the same"), (2, "another")]


def test_of_what_does_not_fit_the_beginning_is_told() -> None:
    found = [passage(1, 800, "word " * 200 + "end"), passage(2, 0, "other " * 200)]
    (hit,) = within_budget(found, 50)
    assert hit.text == ("word " * 60)[: len(hit.text)]
    assert hit.text.endswith("word")
    assert (hit.start, hit.end) == (800, 800 + len(hit.text))
    assert 30 < tokens_of(hit.text) <= 50
    assert within_budget(found, 3) == []


@example([(1, 366, 1), (1, 0, 109), (1, 17, 349)], 128)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 900), st.integers(1, 400)), max_size=12), st.integers(0, 500)
)
def test_a_budget_is_kept_and_nothing_is_told_twice(places: list[tuple[int, int, int]], tokens: int) -> None:
    whole = "".join(chr(97 + number % 26) for number in range(1300))
    found = [passage(document, start, whole[start : start + length]) for document, start, length in places]
    chosen = within_budget(found, tokens)
    assert sum(tokens_of(hit.text) for hit in chosen) <= tokens + len(chosen)  # each is rounded up
    for hit in chosen:
        assert hit.text == whole[hit.start : hit.end]
