"""The state directory of one stack: its layout, its format, its lock and its log files."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deploy.embedded.errors import StackError
from deploy.embedded.processes import identify, is_running

STATE_FORMAT = "antiphon 1 postgresql-18"
"""What `VERSION` must say: the layout below and the major version that wrote the database files."""

MINIMUM_FREE_BYTES = 1 << 30
LOG_LIMIT_BYTES = 20 << 20
_LOCK_SECONDS = 0.5

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Home:
    """Paths of a state directory. Nothing is created before `prepare`."""

    path: Path

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def nats(self) -> Path:
        return self.path / "nats"

    @property
    def s3(self) -> Path:
        return self.path / "s3"

    @property
    def models(self) -> Path:
        return self.path / "models"

    @property
    def record_file(self) -> Path:
        return self.path / "stack.json"

    @property
    def ports_file(self) -> Path:
        return self.path / "ports.json"

    @property
    def hello_file(self) -> Path:
        return self.path / "hello.mp3"

    @property
    def lock_file(self) -> Path:
        return self.path / "lock"

    @property
    def version_file(self) -> Path:
        return self.path / "VERSION"

    def log(self, name: str) -> Path:
        """The log file of one process of the stack."""
        return self.logs / f"{name}.log"

    def prepare(self) -> None:
        """Create the directory, or accept the one that is there.

        Raises StackError when it belongs to something else or to another version, or when the disk is full.
        """
        self._create()
        self._check_space()
        self._check_version()
        for folder in (self.secrets, self.logs, self.nats, self.s3, self.models):
            folder.mkdir(mode=0o700, exist_ok=True)
        # PostgreSQL's account must be able to enter its own corner, whoever owns the directories above.
        self.postgres.mkdir(mode=0o755, exist_ok=True)

    def _create(self) -> None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(self.path, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError
        except PermissionError:
            raise StackError(
                f"{self.path} is not writable by this account.\n"
                "Run as the account that owns it, or choose another directory: ANTIPHON_HOME=<directory> antiphon up"
            ) from None
        except OSError as error:
            raise StackError(
                f"{self.path} cannot be used as the state directory: {error.strerror}.\n"
                "Choose another: ANTIPHON_HOME=<directory> antiphon up"
            ) from None

    def _check_space(self) -> None:
        free = shutil.disk_usage(self.path).free
        if free < MINIMUM_FREE_BYTES:
            raise StackError(
                f"Only {free / 2**20:,.0f} MiB are free on the disk of {self.path}; the stack needs 1,024 MiB.\n"
                "Free some space, or put the state elsewhere: ANTIPHON_HOME=<directory> antiphon up"
            )

    def _check_version(self) -> None:
        if not self.version_file.exists():
            # The lock and the logs come before the version, so a start that was cut short leaves only them.
            strangers = sorted({entry.name for entry in self.path.iterdir()} - {"lock", "logs", "VERSION.new"})
            if strangers:
                raise StackError(
                    f"{self.path} holds other files ({', '.join(strangers[:3])}) and is not a state directory.\n"
                    "Choose an empty or a new one: ANTIPHON_HOME=<directory> antiphon up"
                )
            write_atomically(self.version_file, STATE_FORMAT + "\n", mode=0o644)
        found = self.version_file.read_text().strip()
        if found != STATE_FORMAT:
            raise StackError(
                f"{self.path} was written by another version (it says '{found}', this one writes '{STATE_FORMAT}').\n"
                "Start it with that version, or begin anew beside it: ANTIPHON_HOME=<directory> antiphon up"
            )

    def open_log(self, name: str) -> IO[bytes]:
        """Open a log for appending; a log over 20 MB becomes `<name>.log.1` first, replacing the one before."""
        path = self.log(name)
        self.logs.mkdir(mode=0o700, exist_ok=True)
        if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
            path.replace(path.with_name(path.name + ".1"))
        return open(path, "ab", buffering=0, opener=_private)

    def log_tail(self, name: str, lines: int = 20) -> str:
        """The last lines of a log, without reading more than its last 64 KiB; empty when there is none."""
        try:
            with self.log(name).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 65536))
                return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory for one supervisor; the kernel lets go when the process ends, however it ends.

        Raises StackError when another supervisor holds it.
        """
        self._create()
        with open(self.lock_file, "ab", opener=_private) as file:
            deadline = time.monotonic() + _LOCK_SECONDS
            while not _try_lock(file):
                # Whoever only asks who holds it has the lock for an instant, too.
                if time.monotonic() > deadline:
                    raise StackError(f"A stack is already running in {self.path}; see: antiphon status")
                time.sleep(0.01)
            file.truncate(0)
            file.write(f"{os.getpid()} {identify(os.getpid())}".encode())
            file.flush()
            yield

    def holder(self) -> int | None:
        """The pid of the supervisor that holds this directory now; None when it is free."""
        deadline = time.monotonic() + _LOCK_SECONDS
        while self.lock_file.exists():
            with self.lock_file.open("rb") as file:
                if _try_lock(file):
                    return None
                pid, _, identity = file.read().decode().partition(" ")
            # The name of the last holder stays in the file; it counts only while that process lives.
            if pid.isdigit() and is_running(int(pid), identity):
                return int(pid)
            if time.monotonic() > deadline:
                raise StackError(f"{self.lock_file} is held by a process that cannot be seen from here (a container?).")
            time.sleep(0.01)
        return None


def find_home() -> Home:
    """The state directory that ANTIPHON_HOME names, else `.antiphon` in the repository."""
    named = os.environ.get("ANTIPHON_HOME")
    return Home(Path(named).expanduser().absolute() if named else REPOSITORY / ".antiphon")


def write_atomically(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replace a file so that a reader, or a crash, sees the old text or the new one, never half of it.

    Never follows a link, which another account that owns the directory could have put there.
    """
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
