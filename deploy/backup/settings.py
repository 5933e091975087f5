"""Where backups go, how often they are made and how long they are kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from deploy.embedded.errors import StackError

DIRECTORY = "ANTIPHON_BACKUP_DIR"


@dataclass(frozen=True)
class BackupSettings:
    """`full_every` and `incremental_every`: how old the newest one may become before the next is made.

    Every moment of the last `keep` can be restored.
    """

    directory: Path
    full_every: timedelta
    incremental_every: timedelta
    keep: timedelta


def read_settings(environment: Mapping[str, str] = os.environ, directory: Path | None = None) -> BackupSettings:
    """Read ANTIPHON_BACKUP_DIR, _FULL_HOURS (24), _INCREMENTAL_MINUTES (60) and _KEEP_DAYS (7).

    `directory` goes before the first. Raises StackError when there is none, or a number is out of its range.
    """
    named = environment.get(DIRECTORY)
    if directory is None and not named:
        raise StackError(
            f"Nobody said where backups lie. Name a directory, best on another disk: {DIRECTORY}=<directory>"
        )
    if directory is None and not Path(named or "").expanduser().is_absolute():
        # It is read by a process that works elsewhere.
        raise StackError(f"{DIRECTORY} must be an absolute path, not '{named}'.")
    return BackupSettings(
        directory=(directory or Path(named or "")).expanduser().absolute(),
        full_every=timedelta(hours=_number(environment, "ANTIPHON_BACKUP_FULL_HOURS", 24, 1, 8760)),
        incremental_every=timedelta(minutes=_number(environment, "ANTIPHON_BACKUP_INCREMENTAL_MINUTES", 60, 1, 10080)),
        keep=timedelta(days=_number(environment, "ANTIPHON_BACKUP_KEEP_DAYS", 7, 1, 3650)),
    )


def _number(environment: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise StackError(f"{name} must be a whole number from {least} to {most}, not '{text}'.")
    return int(text)
