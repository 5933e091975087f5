"""The directory that backups lie in: its layout, what was made and when, and who may write now.

VERSION                     the format
backups/<id>/record.json    what it is; the directory has its name only once it is complete and verified
backups/<id>/database/      as pg_basebackup wrote it: whole, or what changed since the parent
backups/<id>/state/         secrets and what else a state directory needs
backups/<id>/letters.jsonl  the dead letters
backups/<id>/index.db       of a full one: the index of objects, should the one below be lost
wal/<line>/                 an unbroken run of the write-ahead log
objects/                    the contents of objects by their SHA-256, and the index of keys
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal

from deploy.embedded.errors import StackError
from deploy.embedded.home import write_atomically

_LOCK_SECONDS = 0.05
_MOST_LOCK_SECONDS = 60.0
"""Nobody has the lines of the log for longer than it takes to ask the database a question and to write a file."""
FORMAT = "antiphon backup 1 postgresql-18"

Kind = Literal["full", "incremental"]


@dataclass(frozen=True)
class Record:
    """One backup. Moments are the database server's, in UTC; positions are of the write-ahead log.

    From `ended` on it can be restored; later moments follow from the log of its `line`. `new_bytes` is what it took on
    the disk, hard links to earlier ones not counted; `objects` and `object_bytes` are what was copied for it.
    """

    id: str
    kind: Kind
    parent: str | None
    line: str
    timeline: int
    began: datetime
    ended: datetime
    start_position: str
    end_position: str
    new_bytes: int
    objects: int
    object_bytes: int
    letters: int
    seconds: float
    verified: datetime


@dataclass(frozen=True)
class Coverage:
    """All that was committed up to `until` is in the log of a line, which lies on one timeline, up to `position`."""

    line: str
    timeline: int
    until: datetime
    position: str


class Vault:
    """One backup directory. Everything in it is readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.backups = path / "backups"
        self.wal = path / "wal"
        self.objects = path / "objects"

    def prepare(self) -> None:
        """Create the directory, or accept the one that is there. Raises StackError when it is something else."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            version = self.path / "VERSION"
            if not version.exists():
                if strangers := sorted(entry.name for entry in self.path.iterdir() if entry.name != "VERSION.new"):
                    raise StackError(
                        f"{self.path} holds other files ({', '.join(strangers[:3])}) and no backups.\n"
                        "Choose an empty or a new directory: ANTIPHON_BACKUP_DIR=<directory>"
                    )
                write_atomically(version, FORMAT + "\n")
        except OSError as error:
            raise StackError(
                f"{self.path} cannot be used for backups: {error.strerror}.\n"
                "Is the disk there and writable? Else choose another: ANTIPHON_BACKUP_DIR=<directory>"
            ) from None
        self.check()
        for folder in (self.backups, self.wal, self.objects):
            folder.mkdir(mode=0o700, exist_ok=True)

    def check(self) -> None:
        """Raise StackError when there are no backups of this format here."""
        try:
            found = (self.path / "VERSION").read_text().strip()
        except OSError:
            raise StackError(f"{self.path} holds no backups. Make one: antiphon backup --dir {self.path}") from None
        if found != FORMAT:
            raise StackError(f"{self.path} was written by another version: '{found}', this one reads '{FORMAT}'.")

    def database(self, backup: str) -> Path:
        """Where the files of the databases lie."""
        return self.backups / backup / "database"

    def state(self, backup: str) -> Path:
        """Where the secrets lie."""
        return self.backups / backup / "state"

    def letters(self, backup: str) -> Path:
        """Where the dead letters lie."""
        return self.backups / backup / "letters.jsonl"

    def records(self) -> list[Record]:
        """Every complete backup, oldest first."""
        files = self.backups.glob("*/record.json")
        found = [_read(file) for file in files if not file.parent.name.endswith(".part")]
        return sorted(found, key=lambda record: record.ended)

    def chain(self, record: Record) -> list[Record]:
        """What is needed to restore a backup: the full one first, itself last. Raises StackError if one is gone."""
        by_id = {one.id: one for one in self.records()}
        chain = [record]
        while (parent := chain[0].parent) is not None:
            if parent not in by_id:
                raise StackError(f"Backup {chain[0].id} needs {parent}, which is gone. Choose another moment.")
            chain.insert(0, by_id[parent])
        return chain

    def begin(self, backup: str) -> Path:
        """Make the directory that a backup is written into. What earlier ones left incomplete is removed."""
        for left in self.backups.glob("*.part"):
            shutil.rmtree(left)
        folder = self.backups / f"{backup}.part"
        folder.mkdir(mode=0o700)
        return folder

    def finish(self, folder: Path, record: Record) -> None:
        """From now on the backup is one."""
        write_atomically(
            folder / "record.json", json.dumps(asdict(record), default=datetime.isoformat, indent=1) + "\n"
        )
        folder.rename(self.backups / record.id)
        descriptor = os.open(self.backups, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def coverages(self) -> list[Coverage]:
        """How far the log of each line reaches."""
        found = [json.loads(file.read_text()) for file in self.wal.glob("*/coverage.json")]
        return [Coverage(**(one | {"until": datetime.fromisoformat(one["until"])})) for one in found]

    async def cover(self, coverage: Coverage) -> None:
        """Write down how far the log of a line reaches, unless it is known to reach further."""
        text = json.dumps(asdict(coverage), default=datetime.isoformat)
        async with self.attaching():
            if all(one.until < coverage.until for one in self.coverages() if one.line == coverage.line):
                write_atomically(self.wal / coverage.line / "coverage.json", text + "\n")

    @asynccontextmanager
    async def attaching(self) -> AsyncIterator[None]:
        """Hold the lines of the log for a moment, in which one begins or is measured.

        Raises StackError when whoever else has them does not let go.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _MOST_LOCK_SECONDS
        with (self.path / "lock.wal").open("ab") as file:
            while not _is_ours(file):
                if loop.time() > deadline:
                    raise StackError(
                        f"Another process has held the log in {self.path} for {_MOST_LOCK_SECONDS:g} s. "
                        "Is the process `backup` stuck? See: antiphon status"
                    )
                await asyncio.sleep(_LOCK_SECONDS)
            yield

    @contextmanager
    def serving(self, home: Path) -> Iterator[None]:
        """Hold the directory for one stack: what another one has not would be taken for gone.

        Raises StackError when another stack backs up into it at the moment.
        """
        with (self.path / "lock.stack").open("a+b") as file:
            if not _is_ours(file):
                file.seek(0)
                if (holder := file.read().decode()) != str(home):
                    raise StackError(
                        f"The stack in {holder} backs up into {self.path}. Stop that, or name another directory: --dir"
                    )
                yield
                return
            file.truncate(0)
            file.write(str(home).encode())
            file.flush()
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the directory for one backup. Raises StackError when another one is being made."""
        with (self.path / "lock").open("ab") as file:
            if not _is_ours(file):
                raise StackError(f"Another backup is being written to {self.path}. Wait until it is done.")
            yield


def _is_ours(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: Path) -> Record:
    content: dict[str, Any] = json.loads(file.read_text())  # JSON: checked by the constructor below
    for name in ("began", "ended", "verified"):
        content[name] = datetime.fromisoformat(content[name])
    return Record(**content)
