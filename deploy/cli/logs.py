"""Reading the logs of all processes side by side."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from deploy.embedded.errors import StackError
from deploy.embedded.home import Home

_LOOK_SECONDS = 0.2


def print_logs(home: Home, name: str | None, lines: int) -> None:
    """Print the last lines of one log, or of each."""
    for log in _choose(home, name):
        _print_lines(log, home.log_tail(log, lines).splitlines() if lines else [], alone=name is not None)


def follow_logs(home: Home, name: str | None, lines: int) -> None:
    """Print the last lines, then what is written from now on, until interrupted. Logs that begin later come along."""
    _choose(home, name)
    readers: dict[str, Iterator[list[str]]] = {}
    try:
        while True:
            for log in _choose(home, name):
                if log not in readers:
                    readers[log] = _new_lines(home.log(log))
                    next(readers[log])
                    _print_lines(log, home.log_tail(log, lines).splitlines() if lines else [], alone=name is not None)
                else:
                    _print_lines(log, next(readers[log]), alone=name is not None)
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        return


def _choose(home: Home, name: str | None) -> list[str]:
    known = sorted(path.stem for path in home.logs.glob("*.log"))
    if not known:
        raise StackError(f"There are no logs in {home.logs}. Start the stack: antiphon up")
    if name is not None and name not in known:
        raise StackError(f"There is no log of '{name}'. There are: {', '.join(known)}")
    return known if name is None else [name]


def _new_lines(path: Path) -> Iterator[list[str]]:
    """Complete lines that were added since the last look; starts anew when the file was replaced."""
    position, inode, partial = path.stat().st_size, path.stat().st_ino, ""
    while True:
        complete: list[str] = []
        if path.exists():
            status = path.stat()
            if status.st_ino != inode or status.st_size < position:
                position, inode, partial = 0, status.st_ino, ""
            with path.open("rb") as file:
                file.seek(position)
                added = file.read()
            position += len(added)
            *complete, partial = (partial + added.decode(errors="replace")).split("\n")
        yield complete


def _print_lines(log: str, lines: list[str], *, alone: bool) -> None:
    for line in lines:
        print(line if alone else f"{log:>10} | {line}", flush=True)
