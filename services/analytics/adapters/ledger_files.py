"""The ledger as CSV and as Parquet, written piece by piece: what was written is taken away before more is."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC
from typing import Any, Protocol

from services.analytics.domain.lines import COLUMNS, FileFormat, Line

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of something to execute."""
MEDIA_TYPES: dict[FileFormat, str] = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


class LedgerFile(Protocol):
    """A file that comes into being; each method returns the bytes that are new. None of them is for the event loop."""

    def write(self, lines: Sequence[Line]) -> bytes:
        """Write lines."""
        ...

    def close(self) -> bytes:
        """Write the end."""
        ...


class CsvFile:
    """RFC 4180, with a header; UTF-8. Times are UTC."""

    def __init__(self) -> None:
        """Begin with the header."""
        self._unsent = io.StringIO(newline="")
        self._writer = csv.writer(self._unsent)
        self._writer.writerow(COLUMNS)

    def write(self, lines: Sequence[Line]) -> bytes:
        """Write lines."""
        self._writer.writerows(
            (line_id, at.astimezone(UTC).isoformat(), plain(unit), quantity, *ids, plain(audio_format or ""))
            for line_id, at, unit, quantity, *ids, audio_format in lines
        )
        return self._take()

    def close(self) -> bytes:
        """Write the end: the header, where there was no line."""
        return self._take()

    def _take(self) -> bytes:
        written = self._unsent.getvalue().encode()
        self._unsent.seek(0)
        self._unsent.truncate()
        return written


def plain(value: str) -> str:
    """Return a text that no spreadsheet executes."""
    return f"'{value}" if value.startswith(_FORMULA) else value


class ParquetFile:
    """Apache Parquet, zstd: each call writes a row group. Times are UTC in microseconds, quantities exact decimals."""

    def __init__(self) -> None:
        """Begin; the libraries take a moment and some memory, so nobody else loads them."""
        import pyarrow
        import pyarrow.parquet

        self._arrow = pyarrow
        text, optional = pyarrow.string(), {"nullable": True}
        dictionary = pyarrow.dictionary(pyarrow.int32(), text)
        of = {
            "at": pyarrow.timestamp("us", tz="UTC"),
            "unit": dictionary,
            "quantity": pyarrow.decimal128(20, 3),
            "format": dictionary,
        }
        known = ("id", "at", "unit", "quantity", "generation_id")
        fields = [
            pyarrow.field(name, of.get(name, text), **(optional if name not in known else {"nullable": False}))
            for name in COLUMNS
        ]
        self._schema = pyarrow.schema(fields)
        self._unsent = _Unsent()
        self._writer = pyarrow.parquet.ParquetWriter(
            pyarrow.PythonFile(self._unsent, mode="w"), self._schema, compression="zstd"
        )

    def write(self, lines: Sequence[Line]) -> bytes:
        """Write lines as one row group."""
        if lines:
            values = zip(COLUMNS, zip(*lines, strict=True), strict=True)
            columns = [self._column(name, column) for name, column in values]
            self._writer.write_table(self._arrow.Table.from_arrays(columns, schema=self._schema))
        return self._unsent.take()

    def close(self) -> bytes:
        """Write the end, which says where everything lies."""
        self._writer.close()
        return self._unsent.take()

    def _column(self, name: str, values: Sequence[Any]) -> Any:  # Any: values of all types; an untyped library's array
        if name == "id" or name.endswith("_id"):
            values = [None if value is None else str(value) for value in values]
        return self._arrow.array(values, type=self._schema.field(name).type)


class _Unsent(io.RawIOBase):
    """What was written and not yet taken away."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Any) -> int:  # Any: a buffer of any kind
        self._bytes += data
        self._position += len(data)
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._bytes)
        self._bytes.clear()
        return taken


def new_file(kind: FileFormat) -> LedgerFile:
    """Begin a file; not in the event loop."""
    return CsvFile() if kind == "csv" else ParquetFile()
