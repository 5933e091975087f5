"""The ledger as a file: what is in it, that it can be read, and what it takes to make it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pyarrow.parquet
import pytest
from sqlalchemy import text

from libs.ids import new_id
from libs.web import Caller
from services.analytics import usecases
from services.analytics.adapters.ledger_files import CsvFile, plain
from services.analytics.consumers import record_usage
from services.analytics.domain.lines import COLUMNS, FileFormat, LinesQuery
from services.analytics.domain.whose import Whose
from services.analytics.usecases import lines as exporting
from tests.integration.analytics.conftest import NOW, Books, Reports

ROWS = 120_000


async def some_lines(books: Books) -> list[tuple[object, ...]]:
    """Use of two people; returns the ledger in its order."""
    begin = NOW - timedelta(days=2)
    for number in range(40):
        whose = Whose(new_id(), new_id(), new_id() if number % 2 else None, "mp3_44100_128" if number % 3 else None)
        event = books.completed(characters=number + 1, seconds=number / 7, at=begin, whose=whose)
        event.characters_spoken = number // 2
        await books.apply(record_usage, event)
    query = """
        select id, created_at, unit, quantity, resource_id, voice_id, key_id, user_id, format from usage_metrics
        where org_id = :org order by created_at, id
    """
    async with books.database.transaction(books.org_id) as session:
        return [tuple(row) for row in await session.execute(text(query), {"org": books.org_id})]


def as_text(line: tuple[object, ...]) -> list[str]:
    return ["" if one is None else one.isoformat() if isinstance(one, datetime) else str(one) for one in line]


async def test_csv_has_a_header_and_every_line_of_the_ledger(
    books: Books, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "LINES_AT_ONCE", 7)
    expected = await some_lines(books)
    content, headers = await reports.export(format="csv")
    assert headers["content-type"].startswith("text/csv")
    assert headers["cache-control"] == "private, no-store"
    today = NOW.date()
    name = f"usage-{today - timedelta(days=29)}-{today}.csv"
    assert headers["content-disposition"] == f'attachment; filename="{name}"'
    found = list(csv.reader(io.StringIO(content.decode(), newline="")))
    assert found[0] == list(COLUMNS)
    assert found[1:] == [as_text(line) for line in expected]
    assert str(books.org_id).encode() not in content


async def test_parquet_read_back_is_the_ledger(books: Books, reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "LINES_AT_ONCE", 50)
    expected = await some_lines(books)
    content, headers = await reports.export(format="parquet")
    assert headers["content-type"] == "application/vnd.apache.parquet"
    file = pyarrow.parquet.ParquetFile(io.BytesIO(content))
    assert file.num_row_groups == -(-len(expected) // 50)
    table = file.read()
    assert table.column_names == list(COLUMNS)
    assert str(table.schema.field("at").type) == "timestamp[us, tz=UTC]"
    found = [tuple(row[name] for name in COLUMNS) for row in table.to_pylist()]
    ids = {"id", "generation_id", "voice_id", "key_id", "user_id"}
    texts = [
        tuple(str(one) if name in ids and one is not None else one for name, one in zip(COLUMNS, line, strict=True))
        for line in expected
    ]
    assert found == texts


@pytest.mark.parametrize("kind", ["csv", "parquet"])
async def test_nothing_used_is_a_file_without_lines(reports: Reports, kind: FileFormat) -> None:
    content, _ = await reports.export(format=kind, from_="2020-01-01", to="2020-01-02")
    if kind == "csv":
        assert content.decode() == ",".join(COLUMNS) + "\r\n"
    else:
        assert pyarrow.parquet.ParquetFile(io.BytesIO(content)).read().num_rows == 0


async def test_only_the_lines_that_are_asked_for(books: Books, reports: Reports) -> None:
    whose = Whose(new_id(), new_id(), None, "wav")
    at = datetime(2026, 3, 28, 22, 30, tzinfo=UTC)
    events = [books.completed(at=at + hour * timedelta(hours=1), whose=whose) for hour in range(30)]
    await books.apply(record_usage, *events, books.completed(at=at + timedelta(hours=5)))
    day = {"from_": "2026-03-29", "to": "2026-03-29", "tz": "Europe/Berlin"}
    content, _ = await reports.export(**day, voice_id=whose.voice_id, unit="characters")
    found = list(csv.DictReader(io.StringIO(content.decode())))
    assert len(found) == 23
    assert {line["format"] for line in found} == {"wav"}
    total = (await reports.usage(**day, voice_id=whose.voice_id))["totals"]["characters"]
    assert sum(float(line["quantity"]) for line in found) == total


async def test_what_is_no_file_or_zone_names_the_field(reports: Reports) -> None:
    for params, field in (({"format": "xls"}, "format"), ({"tz": "Mars"}, "tz"), ({"from_": "2001-01-01"}, "from")):
        status, answer = await reports.ask("/export", **params)
        assert (status, answer["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@sum(a1)", "\t=1", "\r=1"])
def test_no_text_is_executed_by_a_spreadsheet(value: str) -> None:
    assert plain(value) == "'" + value
    line = (new_id(), NOW, value, 1, new_id(), None, None, None, value)
    (_, written) = csv.reader(io.StringIO((CsvFile().write([line])).decode(), newline=""))  # type: ignore[list-item]
    assert (written[2], written[8]) == ("'" + value, "'" + value)


async def fill(books: Books, rows: int) -> None:
    """Write so many lines of the last day, without the sums."""
    statement = """
        insert into usage_metrics (id, event_id, org_id, action, quantity, unit, resource_id, created_at, format)
        select gen_random_uuid(), gen_random_uuid(), :org, 'generation', n % 1000, 'characters', gen_random_uuid(),
            cast(:now as timestamptz) - make_interval(secs => n % 80000), 'wav'
        from generate_series(1, :rows) n
    """
    async with books.database.transaction(books.org_id) as session:
        await session.execute(text(statement), {"org": books.org_id, "now": NOW, "rows": rows})


@pytest.mark.parametrize("kind", ["csv", "parquet"])
async def test_memory_does_not_grow_with_the_ledger(books: Books, kind: FileFormat, tmp_path: Path) -> None:
    await fill(books, ROWS)
    path = tmp_path / "usage"
    grown, longest = await measured(books, kind, path)
    if kind == "csv":
        assert path.read_bytes().count(b"\r\n") == ROWS + 1
    else:
        assert pyarrow.parquet.read_metadata(path).num_rows == ROWS
    # All lines at once take 150 MB, and 15 MB as CSV.
    assert grown < 60_000_000
    assert longest < 4_000_000


async def measured(books: Books, kind: FileFormat, path: Path) -> tuple[int, int]:
    """Export everything; return by how many bytes the process grew after the first pieces, and the longest piece."""
    export = await usecases.export_ledger(books.deps, Caller(books.org_id, new_id()), LinesQuery(), kind)
    process = psutil.Process()
    before = longest = most = pieces = 0
    with path.open("wb") as file:
        async for piece in export.content:
            pieces += 1
            if pieces == 2:
                before = process.memory_info().rss
            longest = max(longest, len(piece))
            most = max(most, process.memory_info().rss)
            file.write(piece)
    return most - before, longest
