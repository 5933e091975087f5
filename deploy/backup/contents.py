"""The contents of objects, each kept once by its SHA-256, and the index that knows which key had which and when."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_SCHEMA = """
create table if not exists objects (
    key text not null, etag text not null, sha256 text not null, size integer not null, type text not null,
    made_at real not null, gone_at real
);
create unique index if not exists present on objects (key) where gone_at is null;
create index if not exists by_content on objects (sha256);
create index if not exists gone on objects (gone_at) where gone_at is not null;
"""
_BUSY_SECONDS = 30.0
_FRESH_SECONDS = 3600.0
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Kept:
    """An object as it was: from `made_at` on there, its content in the file of its SHA-256. `size` in bytes."""

    key: str
    etag: str
    sha256: str
    size: int
    type: str
    made_at: datetime


class Contents:
    """The objects of a backup directory. Several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        index = folder / "index.db"
        index.touch(mode=0o600)
        self._database = sqlite3.connect(index, timeout=_BUSY_SECONDS)
        self._database.executescript("pragma journal_mode=wal; pragma synchronous=full;" + _SCHEMA)

    def close(self) -> None:
        """Close the index."""
        self._database.close()

    def copy_index(self, file: Path) -> None:
        """Write the index to another file, too, as it is now."""
        file.touch(mode=0o600)
        with closing(sqlite3.connect(file)) as copy:
            self._database.backup(copy)

    def present(self) -> dict[str, str]:
        """The keys that were there when we last looked, with their tags."""
        return dict(self._database.execute("select key, etag from objects where gone_at is null"))

    def has(self, key: str, etag: str) -> bool:
        """Say whether this very object is here."""
        query = "select 1 from objects where key = ? and etag = ? and gone_at is null"
        return self._database.execute(query, (key, etag)).fetchone() is not None

    def add(self, kept: Kept) -> None:
        """Note an object whose content is here; what had its key before is gone from then on."""
        moment = kept.made_at.timestamp()
        row = (kept.key, kept.etag, kept.sha256, kept.size, kept.type, moment)
        with self._database:
            # A tag that stays is the same content written again.
            self._database.execute(
                "update objects set gone_at = max(made_at, ?) where key = ? and gone_at is null and etag <> ?",
                (moment, kept.key, kept.etag),
            )
            self._database.execute("insert or ignore into objects values (?, ?, ?, ?, ?, ?, null)", row)

    def mark_gone(self, keys: list[str], moment: datetime, *, made_before: datetime) -> None:
        """Note that these are there no longer, unless they were made later than we looked."""
        with self._database:
            self._database.executemany(
                "update objects set gone_at = ? where key = ? and gone_at is null and made_at < ?",
                [(moment.timestamp(), key, made_before.timestamp()) for key in keys],
            )

    async def write(self, chunks: AsyncIterator[bytes]) -> tuple[str, str, int]:
        """Keep a content; returns its SHA-256, its MD5 and its size. On the disk when this returns."""
        sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        descriptor, name = tempfile.mkstemp(dir=self._folder, prefix="content-", suffix=".part")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                async for chunk in chunks:
                    sha256.update(chunk)
                    md5.update(chunk)
                    size += file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            self._place(temporary, sha256.hexdigest())
        finally:
            _remove(temporary)
        return sha256.hexdigest(), md5.hexdigest(), size

    def _place(self, temporary: Path, sha256: str) -> None:
        place = self.file(sha256)
        place.parent.mkdir(mode=0o700, exist_ok=True)
        temporary.replace(place)

    def file(self, sha256: str) -> Path:
        """Where a content lies."""
        return self._folder / sha256[:2] / sha256

    def at(self, moment: datetime) -> list[Kept]:
        """Every object that was there at a moment, and perhaps some that had just gone."""
        query = (
            "select key, etag, sha256, size, type, made_at from objects "
            "where made_at <= :moment and (gone_at is null or gone_at > :moment) order by made_at"
        )
        rows = self._database.execute(query, {"moment": moment.timestamp()})
        newest = {}
        for key, etag, sha256, size, kind, made_at in rows:
            newest[key] = Kept(key, etag, sha256, size, kind, datetime.fromtimestamp(made_at, UTC))
        return list(newest.values())

    def sizes(self) -> tuple[int, int]:
        """How many contents there are, and their bytes."""
        query = "select count(*), coalesce(sum(size), 0) from (select distinct sha256, size from objects)"
        count, size = self._database.execute(query).fetchone()
        return count, size

    def damaged(self) -> Iterator[str | None]:
        """Check the index and read every content again; for each either None or what is wrong with it."""
        (found,) = self._database.execute("pragma quick_check(1)").fetchone()
        if found != "ok":
            yield f"{self._folder / 'index.db'} is damaged: {found}"
        with closing(self._database.execute("select distinct sha256, size from objects")) as rows:
            for sha256, size in rows.fetchall():
                yield self._damage(sha256, size)

    def drop(self, before: datetime) -> int:
        """Forget objects that were gone by then, and remove contents that nobody has any more. Returns their bytes."""
        with self._database:
            self._database.execute("delete from objects where gone_at < ?", (before.timestamp(),))
        freed = 0
        for file in self._folder.glob("??/*"):
            known = self._database.execute("select 1 from objects where sha256 = ? limit 1", (file.name,)).fetchone()
            # A fresh one may be about to be noted.
            if known is None and file.stat().st_mtime < time.time() - _FRESH_SECONDS:
                freed += file.stat().st_size
                file.unlink()
        for left in self._folder.glob("content-*.part"):
            if left.stat().st_mtime < time.time() - _FRESH_SECONDS:
                left.unlink()
        return freed

    def _damage(self, sha256: str, size: int) -> str | None:
        file = self.file(sha256)
        try:
            with file.open("rb") as content:
                found = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            return f"{file} cannot be read: {error.strerror}"
        if found == sha256 and file.stat().st_size == size:
            return None
        return f"{file} has changed since it was written: its SHA-256 is another"


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)


async def read_chunks(file: Path) -> AsyncIterator[bytes]:
    """Read a file in pieces of 1 MiB."""
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK):
            yield chunk
