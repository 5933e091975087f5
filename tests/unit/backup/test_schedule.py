from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from deploy.backup.making import plan_next, plan_now
from deploy.backup.retention import superfluous
from deploy.backup.settings import BackupSettings, read_settings
from deploy.backup.wal import Line
from deploy.embedded.errors import StackError
from tests.unit.backup.records import BEGIN, record, scheduled

SETTINGS = BackupSettings(Path("/backups"), timedelta(hours=24), timedelta(minutes=60), timedelta(days=7))
LINE = Line("a1")


def test_a_line_begins_with_a_full_backup_and_goes_on_with_what_changed_each_hour() -> None:
    first = plan_next([], LINE, SETTINGS, BEGIN)
    assert first is not None
    assert first.kind == "full"
    full = record(0)
    assert plan_next([full], LINE, SETTINGS, BEGIN + timedelta(minutes=59)) is None
    hour = plan_next([full], LINE, SETTINGS, BEGIN + timedelta(minutes=60))
    assert hour is not None
    assert (hour.kind, hour.parent) == ("incremental", full)
    latest = record(23.5, "incremental", full)
    day = plan_next([full, latest], LINE, SETTINGS, BEGIN + timedelta(hours=24))
    assert day is not None
    assert (day.kind, day.parent) == ("full", None)


def test_what_another_line_has_does_not_count() -> None:
    plan = plan_next([record(0, line="b2")], LINE, SETTINGS, BEGIN + timedelta(minutes=1))
    assert plan is not None
    assert plan.kind == "full"


def test_who_asks_gets_one_though_none_is_due() -> None:
    full = record(0)
    plan = plan_now([full], LINE, SETTINGS, BEGIN + timedelta(minutes=1))
    assert (plan.kind, plan.parent) == ("incremental", full)


def test_every_moment_of_the_last_days_stays_restorable_and_no_backup_loses_its_parent() -> None:
    made = scheduled(30)
    now = made[-1].ended
    gone = {one.id for one in superfluous(made, SETTINGS.keep, now)}
    left = [one for one in made if one.id not in gone]
    assert left[0].kind == "full"
    assert now - timedelta(days=8) < left[0].ended <= now - SETTINGS.keep
    ids = {one.id for one in left}
    assert all(one.parent is None or one.parent in ids for one in left)
    assert len(left) == 8 * 4


def test_the_newest_chain_stays_however_old_it_is() -> None:
    made = scheduled(1)
    assert superfluous(made, SETTINGS.keep, BEGIN + timedelta(days=1000)) == []


def test_children_go_before_their_parents() -> None:
    made = scheduled(20)
    gone = superfluous(made, SETTINGS.keep, made[-1].ended)
    seen: set[str] = set()
    for one in gone:
        assert one.parent not in seen
        seen.add(one.id)


def test_settings_are_read_with_their_ranges() -> None:
    found = read_settings({"ANTIPHON_BACKUP_DIR": "/there", "ANTIPHON_BACKUP_KEEP_DAYS": "30"})
    assert found == BackupSettings(Path("/there"), timedelta(hours=24), timedelta(minutes=60), timedelta(days=30))
    assert read_settings({}, Path("/here")).directory == Path("/here")
    with pytest.raises(StackError, match="ANTIPHON_BACKUP_DIR=<directory>"):
        read_settings({})
    with pytest.raises(StackError, match="must be an absolute path, not 'backups'"):
        read_settings({"ANTIPHON_BACKUP_DIR": "backups"})
    with pytest.raises(StackError, match="ANTIPHON_BACKUP_KEEP_DAYS must be a whole number from 1 to 3650, not '0'"):
        read_settings({"ANTIPHON_BACKUP_DIR": "/there", "ANTIPHON_BACKUP_KEEP_DAYS": "0"})
