"""A stack that backs itself up, and directories that go away."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from deploy.backup.vault import Record, Vault
from tests.chaos.processes import paused
from tests.support.otlp import SpanReceiver
from tests.support.polling import eventually
from tests.support.stack import Stack, running_stack
from tests.support.visits import watched_by


@dataclass(frozen=True)
class BackedUp:
    """A running stack and the directory that its backups lie in."""

    stack: Stack
    vault: Path

    def listed(self) -> list[Record]:
        """The backups, oldest first."""
        return Vault(self.vault).records()

    async def covers(self, moment: datetime) -> None:
        """Wait until a moment can be restored."""

        async def is_there() -> bool:
            return any(one.until >= moment for one in Vault(self.vault).coverages())

        await eventually(is_there, within=30, what=f"the log up to {moment}")

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """Stop the process that backs up between two things that it does: stopped, it must hold nothing."""
        async with AsyncExitStack() as stopped:

            async def holds_nothing() -> bool:
                stopped.enter_context(paused(self.stack, "backup"))
                if all(_is_free(self.vault / name) for name in ("lock", "lock.wal")):
                    return True
                await stopped.aclose()
                return False

            await eventually(holds_nothing, within=60, every=0.1, what="a moment at which what backs up holds nothing")
            yield

    async def has_first(self) -> None:
        """Wait for the first full backup, which the stack makes by itself."""

        async def is_there() -> bool:
            return bool(self.listed())

        await eventually(is_there, within=60, what="the first backup")


def _is_free(lock: Path) -> bool:
    with lock.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """A directory that is removed, whoever owns the files in it."""
    path = Path(tempfile.mkdtemp(prefix="antiphon-backup-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def receiver() -> Iterator[SpanReceiver]:
    """Where the stack's traces and metrics come, all of them."""
    with SpanReceiver.running(keeps_bodies=True) as running:
        yield running


@pytest.fixture(scope="session")
def backed_up(receiver: SpanReceiver) -> Iterator[BackedUp]:
    """A stack whose backups are made by its own schedule, and by whoever asks; everything of it is traced."""
    with temporary_directory() as folder:
        vault = folder / "vault"
        extra = {"ANTIPHON_BACKUP_DIR": str(vault), "ANTIPHON_ENGINE_PROCESSES": "2"}
        extra |= watched_by(receiver)
        with running_stack(extra) as running:
            yield BackedUp(running, vault)
