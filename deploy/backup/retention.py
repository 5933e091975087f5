"""Letting old backups go: every moment of the last days stays restorable, what only older ones need is removed."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from deploy.backup import wal
from deploy.backup.contents import Contents
from deploy.backup.vault import Record, Vault


@dataclass(frozen=True)
class Removed:
    """What went: backups by their ids, and bytes of objects."""

    backups: list[str]
    object_bytes: int


def superfluous(records: list[Record], keep: timedelta, now: datetime) -> list[Record]:
    """The backups that no moment of the last `keep` needs, newest first, so that none ever lacks its parent.

    A chain, a full backup with its incremental ones, goes when another one had begun before that time. The newest
    chain always stays.
    """
    fulls = [record for record in records if record.kind == "full" and record.ended <= now - keep]
    if not fulls:
        return []
    oldest = fulls[-1].ended
    kept = {record.id for record in records if record.kind == "full" and record.ended >= oldest}
    kept = _with_descendants(records, kept)
    return [record for record in reversed(records) if record.id not in kept]


def apply(vault: Vault, keep: timedelta, now: datetime) -> Removed:
    """Remove what is not needed any more: backups, then their log, then objects that were gone before the oldest."""
    gone = superfluous(vault.records(), keep, now)
    for record in gone:
        # It is none from here on; what is left of it goes with what others left incomplete.
        part = vault.backups / f"{record.id}.part"
        (vault.backups / record.id).rename(part)
        shutil.rmtree(part)
    left = vault.records()
    if not gone or not left:
        return Removed([], 0)
    _drop_log(vault, left)
    with closing(Contents(vault.objects)) as contents:
        return Removed([record.id for record in gone], contents.drop(left[0].ended))


def _drop_log(vault: Vault, records: list[Record]) -> None:
    needed: dict[str, str] = {}
    for record in records:
        first = wal.segment_of(record.timeline, record.start_position)
        needed[record.line] = min(needed.get(record.line, first), first)
    for folder in vault.wal.iterdir():
        if folder.name not in needed:
            # A line without a backup may have just begun.
            if folder.stat().st_mtime < records[-1].ended.timestamp():
                shutil.rmtree(folder)
            continue
        for file in folder.glob("0*"):
            if len(file.name.removesuffix(".partial")) == 24 and file.name < needed.get(folder.name, ""):
                file.unlink()


def _with_descendants(records: list[Record], kept: set[str]) -> set[str]:
    """Add what was made on top of these."""
    for record in records:  # oldest first: a parent comes before its children
        if record.parent in kept:
            kept.add(record.id)
    return kept
