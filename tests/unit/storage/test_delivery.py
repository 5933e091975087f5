"""Ranges and preconditions: by table, and for whatever a client may send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.storage.domain.delivery import (
    CONDITIONS,
    ByteRange,
    PreconditionFailed,
    RangeNotSatisfiable,
    Representation,
    Selection,
    parse_range,
    select_part,
)

MODIFIED = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
FILE = Representation(size=1000, etag='"abc"', modified=MODIFIED)
BEFORE = format_datetime(MODIFIED - timedelta(seconds=1), usegmt=True)
THEN = format_datetime(MODIFIED, usegmt=True)
AFTER = format_datetime(MODIFIED + timedelta(seconds=1), usegmt=True)
WHOLE = Selection()
UNCHANGED = Selection(is_unchanged=True)


def part(first: int, last: int) -> Selection:
    return Selection(part=ByteRange(first, last))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes=0-0", ByteRange(0, 0)),
        ("bytes=0-499", ByteRange(0, 499)),
        ("bytes=500-", ByteRange(500, 999)),
        ("bytes=-500", ByteRange(500, 999)),
        ("bytes=-1", ByteRange(999, 999)),
        ("bytes=999-999", ByteRange(999, 999)),
        ("bytes=0-5000", ByteRange(0, 999)),
        ("bytes=-5000", ByteRange(0, 999)),
        (" BYTES = 1 - 2 ", ByteRange(1, 2)),
        ("bytes=0-" + "9" * 5000, ByteRange(0, 999)),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes=a-b", None),
        ("bytes=1.5-2", None),
        ("bytes=--1", None),
        ("bytes=٣-٤", None),
        ("bytes 0-1", None),
        ("items=0-1", None),
        ("bytes=0-1,5-6", None),
        ("", None),
    ],
)
def test_a_range_is_read_as_the_rfc_says(text: str, expected: ByteRange | None) -> None:
    assert parse_range(text, 1000) == expected


@pytest.mark.parametrize("text", ["bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=" + "9" * 5000 + "-"])
def test_a_range_behind_the_end_is_refused_with_the_size(text: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as refused:
        parse_range(text, 1000)
    assert refused.value.size == 1000


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, WHOLE),
        ({"if-none-match": '"abc"'}, UNCHANGED),
        ({"if-none-match": 'W/"abc"'}, UNCHANGED),
        ({"if-none-match": '"x", "abc"'}, UNCHANGED),
        ({"if-none-match": "*"}, UNCHANGED),
        ({"if-none-match": '"x"'}, WHOLE),
        ({"if-none-match": "abc"}, WHOLE),
        ({"if-modified-since": THEN}, UNCHANGED),
        ({"if-modified-since": AFTER}, UNCHANGED),
        ({"if-modified-since": BEFORE}, WHOLE),
        ({"if-modified-since": "yesterday"}, WHOLE),
        # An entity tag is the better witness.
        ({"if-none-match": '"x"', "if-modified-since": AFTER}, WHOLE),
        ({"if-match": '"abc"'}, WHOLE),
        ({"if-match": "*"}, WHOLE),
        ({"if-match": '"abc"', "if-unmodified-since": BEFORE}, WHOLE),
        ({"if-unmodified-since": THEN}, WHOLE),
        ({"if-unmodified-since": "never"}, WHOLE),
        ({"range": "bytes=1-2"}, part(1, 2)),
        ({"range": "bytes=1-2,4-5"}, WHOLE),
        ({"range": "bytes=1-2", "if-none-match": '"abc"'}, UNCHANGED),
        ({"range": "bytes=1-2", "if-range": '"abc"'}, part(1, 2)),
        ({"range": "bytes=1-2", "if-range": '"x"'}, WHOLE),
        ({"range": "bytes=1-2", "if-range": 'W/"abc"'}, WHOLE),
        ({"range": "bytes=1-2", "if-range": THEN}, part(1, 2)),
        ({"range": "bytes=1-2", "if-range": AFTER}, WHOLE),
        ({"range": "bytes=1-2", "if-range": BEFORE}, WHOLE),
        ({"range": "bytes=5000-", "if-range": '"x"'}, WHOLE),
    ],
)
def test_preconditions_decide_what_is_sent(conditions: dict[str, str], expected: Selection) -> None:
    assert select_part(FILE, "GET", conditions) == expected


@pytest.mark.parametrize(
    "conditions", [{"if-match": '"x"'}, {"if-match": 'W/"abc"'}, {"if-unmodified-since": BEFORE}, {"if-match": ""}]
)
def test_a_file_that_is_not_as_expected_is_not_sent(conditions: dict[str, str]) -> None:
    with pytest.raises(PreconditionFailed):
        select_part(FILE, "GET", conditions)


def test_head_knows_no_ranges() -> None:
    assert select_part(FILE, "HEAD", {"range": "bytes=5000-"}) == WHOLE
    assert select_part(FILE, "HEAD", {"if-none-match": '"abc"'}) == UNCHANGED


@given(first=st.integers(0, 2000), last=st.integers(0, 2000), size=st.integers(1, 1500))
def test_a_range_is_what_slicing_would_give(first: int, last: int, size: int) -> None:
    content = list(range(size))
    if first >= size and last >= first:
        with pytest.raises(RangeNotSatisfiable):
            parse_range(f"bytes={first}-{last}", size)
        return
    found = parse_range(f"bytes={first}-{last}", size)
    if last < first:
        assert found is None
    else:
        assert found is not None
        assert content[found.first : found.last + 1] == content[first : last + 1]
        assert found.length == len(content[first : last + 1])


@given(suffix=st.integers(1, 3000), size=st.integers(1, 1500))
def test_a_suffix_is_the_end(suffix: int, size: int) -> None:
    found = parse_range(f"bytes=-{suffix}", size)
    assert found is not None
    assert list(range(size))[found.first : found.last + 1] == list(range(size))[-suffix:]


HEADERS = st.text() | st.sampled_from(["bytes=0-", '"abc"', "*", THEN, "Mon, 99 Foo 2026 99:99:99 GMT", "1 Jan 0"])


@given(
    conditions=st.dictionaries(st.sampled_from(CONDITIONS), HEADERS),
    size=st.integers(0, 100),
    method=st.sampled_from(["GET", "HEAD"]),
)
def test_whatever_a_client_sends_is_answered(conditions: dict[str, str], size: int, method: str) -> None:
    try:
        selection = select_part(Representation(size, '"abc"', MODIFIED), method, conditions)
    except (PreconditionFailed, RangeNotSatisfiable):
        return
    if selection.part is not None:
        assert 0 <= selection.part.first <= selection.part.last < size
        assert not selection.is_unchanged
