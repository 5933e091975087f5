"""The list of the files that an export takes along: a line of JSON each, written by services, read by the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

from libs.database import Database
from libs.outbox.exported import Exported, files_of

FILES_MOST = 20_000
"""Of one service in an export: the archive's directory, which is written last, is kept in memory, 1 kB a file."""
BYTES_MOST = 100 * 2**30
"""Of one service's files in an export: 100 GiB, a night at 30 Mbit/s; a download that breaks off begins anew."""


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file to be taken along: its name in the archive, and the object that it is made of."""

    name: str
    key: str

    def line(self) -> bytes:
        """Return how it is listed."""
        return orjson.dumps([self.name, self.key], option=orjson.OPT_APPEND_NEWLINE)


@dataclass(slots=True)
class Tally:
    """How many files are taken along, and how many are left out as they would be too many or too large; in bytes."""

    files: int = 0
    bytes: int = 0
    left_out: int = 0
    left_out_bytes: int = 0

    def takes(self, size: int) -> bool:
        """Count a file of `size` bytes, and say whether it is taken along."""
        if self.files < FILES_MOST and self.bytes + size <= BYTES_MOST:
            self.files += 1
            self.bytes += size
            return True
        self.left_out += 1
        self.left_out_bytes += size
        return False


async def list_files(
    database: Database, tables: Sequence[Exported], org_id: UUID, tally: Tally
) -> AsyncIterator[bytes]:
    """Yield the list of an organisation's files, a page at a time, and count them in `tally`."""
    for table in tables:
        if table.file is not None:
            async for page in files_of(database, table, table.file, org_id):
                yield b"".join(TakenFile(row["name"], row["key"]).line() for row in page if tally.takes(row["size"]))


async def read_files(chunks: AsyncIterator[bytes]) -> AsyncIterator[TakenFile]:
    """Yield the files that a list names, which comes in chunks of any size."""
    begun = b""
    async for chunk in chunks:
        *lines, begun = (begun + chunk).split(b"\n")
        for line in lines:
            name, key = orjson.loads(line)
            yield TakenFile(name, key)
