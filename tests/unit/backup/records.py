"""Backups as a schedule makes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from deploy.backup.vault import Kind, Record

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def record(
    hours: float, kind: Kind = "full", parent: Record | None = None, line: str = "a1", start: str = "0/3000028"
) -> Record:
    """A backup that ended so many hours after the beginning."""
    moment = BEGIN + timedelta(hours=hours)
    return Record(
        id=f"{moment:%Y%m%dT%H%M%S}-{kind}",
        kind=kind,
        parent=parent.id if parent else None,
        line=line,
        timeline=1,
        began=moment,
        ended=moment,
        start_position=start,
        end_position=start,
        new_bytes=1,
        objects=0,
        object_bytes=0,
        letters=0,
        seconds=1.0,
        verified=moment,
    )


def scheduled(days: int) -> list[Record]:
    """A full backup a day and an incremental one every six hours."""
    made: list[Record] = []
    for hour in range(0, 24 * days, 6):
        made.append(record(hour) if hour % 24 == 0 else record(hour, "incremental", made[-1]))
    return made
