"""Cursors are opaque, come back as they went, and nothing else is one."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.database import Cursor, InvalidCursor, page_of
from libs.ids import new_id

# Fixed, as all of them become names of tests.
ROW = UUID("0197f3a0-0000-7000-8000-00000000000a")
AT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)


def written(at: object, row_id: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([at, row_id])).decode().rstrip("=")


def test_a_cursor_comes_back_as_it_went() -> None:
    cursor = Cursor(AT, new_id())
    assert Cursor.decode(cursor.encode()) == cursor
    elsewhere = Cursor(AT.astimezone(timezone(timedelta(hours=5))), cursor.id)
    assert Cursor.decode(elsewhere.encode()) == cursor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "é",
        written("2026-01-01T00:00:00", str(ROW)),
        written("9999-12-31T23:59:59.999999-12:00", str(ROW)),
        written("0001-01-01T00:00:00+12:00", str(ROW)),
        written(AT.isoformat(), "no id"),
        written(None, None),
        base64.urlsafe_b64encode(b"{}").decode(),
    ],
)
def test_what_this_api_did_not_write_is_no_cursor(text: str) -> None:
    with pytest.raises(InvalidCursor):
        Cursor.decode(text)


@given(st.text(max_size=60))
def test_no_text_does_anything_else_than_being_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        Cursor.decode(text)


@pytest.mark.parametrize(("rows", "more"), [(0, False), (2, False), (3, True)])
def test_a_page_says_whether_there_is_another(rows: int, more: bool) -> None:
    page = page_of(list(range(rows)), 2, lambda _row: Cursor(AT, new_id()))
    assert len(page.items) == min(rows, 2)
    assert (page.next_cursor is not None) is more
