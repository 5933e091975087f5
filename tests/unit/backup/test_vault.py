from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.backup import retention
from deploy.backup.contents import Contents, Kept
from deploy.backup.manifest import Damaged, share_files, verify_files
from deploy.backup.restoring import Choice, check_room, choose
from deploy.backup.vault import Coverage, Record, Vault
from deploy.backup.wal import next_segment, segment_of, segments
from deploy.embedded.errors import StackError
from deploy.embedded.home import MINIMUM_FREE_BYTES
from tests.unit.backup.records import BEGIN, record, scheduled


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    vault = Vault(tmp_path / "vault")
    vault.prepare()
    (vault.wal / "a1").mkdir()
    return vault


def keep(vault: Vault, *records: Record) -> None:
    for one in records:
        vault.finish(vault.begin(one.id), one)


def write_manifest(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir()
    entries = []
    for name, content in files.items():
        (folder / name).write_bytes(content)
        entries.append({"Path": name, "Size": len(content), "Checksum": hashlib.sha256(content).hexdigest()})
    log = {"Timeline": 1, "Start-LSN": "0/3000028", "End-LSN": "0/3000120"}
    body = json.dumps({"Files": entries, "WAL-Ranges": [log]})[:-1] + ',\n"Manifest-Checksum": "'
    checksum = hashlib.sha256(body.removesuffix('"Manifest-Checksum": "').encode()).hexdigest()
    (folder / "backup_manifest").write_text(body + checksum + '"}\n')


def test_only_finished_backups_are_listed_and_the_next_one_clears_what_is_left(vault: Vault) -> None:
    keep(vault, record(0))
    cut_short = vault.begin("later")
    (cut_short / "record.json").write_text("{}")
    assert [one.id for one in vault.records()] == [record(0).id]
    assert vault.begin("again").exists()
    assert not cut_short.exists()
    assert vault.records() == [record(0)]


def test_a_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(StackError, match="holds other files"):
        Vault(tmp_path).prepare()
    with pytest.raises(StackError, match="Make one: antiphon backup"):
        Vault(tmp_path / "nowhere").check()


def test_two_backups_at_once_are_refused(vault: Vault) -> None:
    with vault.writing(), pytest.raises(StackError, match="Another backup"), vault.writing():
        raise AssertionError("both write")


def test_two_stacks_do_not_back_up_into_one_directory(vault: Vault) -> None:
    first, second = Path("/first"), Path("/second")
    with vault.serving(first):
        with vault.serving(first):
            pass
        with pytest.raises(StackError, match="The stack in /first backs up into"), vault.serving(second):
            raise AssertionError("both serve")
    with vault.serving(second):
        pass


async def test_a_moment_is_taken_from_the_newest_backup_before_it_and_told_when_it_is_out_of_reach(
    vault: Vault,
) -> None:
    with pytest.raises(StackError, match="no complete backup"):
        choose(vault, None)
    made = scheduled(2)
    keep(vault, *made)
    reaches = made[-1].ended + timedelta(minutes=30)
    await vault.cover(Coverage("a1", 1, reaches, "0/4000000"))
    assert choose(vault, made[2].ended + timedelta(minutes=1)).record == made[2]
    assert choose(vault, None).moment == reaches
    with pytest.raises(StackError, match="first moment that can be restored is 2026-01-01T00:00:00"):
        choose(vault, BEGIN - timedelta(seconds=1))
    with pytest.raises(StackError, match=rf"reaches to {reaches.isoformat().replace('+', '.')}"):
        choose(vault, reaches + timedelta(seconds=1))
    await vault.cover(Coverage("a1", 1, reaches - timedelta(minutes=1), "0/3000000"))
    assert choose(vault, None).moment == reaches


def test_a_file_that_changed_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "full"
    write_manifest(folder, {"1259": b"rows", "2619": b"numbers"})
    assert list(verify_files(folder)) == [4, 7]
    (folder / "2619").write_bytes(b"numbars")
    with pytest.raises(Damaged, match="2619 has changed"):
        list(verify_files(folder))
    (folder / "2619").write_bytes(b"num")
    with pytest.raises(Damaged, match="has 3 bytes and should have 7"):
        list(verify_files(folder))
    (folder / "backup_manifest").write_text((folder / "backup_manifest").read_text().replace("2619", "2620"))
    with pytest.raises(Damaged, match="backup_manifest is damaged"):
        list(verify_files(folder))


def test_what_the_backup_before_has_too_is_kept_once(tmp_path: Path) -> None:
    write_manifest(tmp_path / "full", {"same": b"map", "other": b"old"})
    write_manifest(tmp_path / "next", {"same": b"map", "other": b"new"})
    share_files(tmp_path / "next", tmp_path / "full")
    assert (tmp_path / "next" / "same").samefile(tmp_path / "full" / "same")
    assert (tmp_path / "next" / "other").read_bytes() == b"new"
    assert list(verify_files(tmp_path / "next")) == [3, 3]


def test_segments_follow_each_other_without_a_gap(vault: Vault) -> None:
    assert segment_of(1, "0/3100028") == "000000010000000000000031"
    assert next_segment("000000010000000000000FFF") == "000000010000000100000000"
    line = vault.wal / "a1"
    for name in ("000000010000000000000030", "000000010000000000000031", "000000010000000000000032.partial"):
        (line / name).touch()
    found = segments(vault, "a1", 1, "0/3100028", "0/3200028")
    assert [file.name for file in found] == ["000000010000000000000031", "000000010000000000000032.partial"]
    assert segments(vault, "a1", 1, "0/3100028", "0/3200000") == found[:1]
    (line / "000000010000000000000031").unlink()
    with pytest.raises(Damaged, match="the log lacks 000000010000000000000031"):
        segments(vault, "a1", 1, "0/3000028", "0/3200028")
    with pytest.raises(Damaged, match="the log lacks 000000010000000000000033"):
        segments(vault, "a1", 1, "0/3200000", "0/3300001")


def test_old_backups_go_with_their_log(vault: Vault) -> None:
    made = [record(24 * day, start=f"0/{day + 1}000028") for day in range(9)]
    keep(vault, *made)
    for number in range(0x8F):
        (vault.wal / "a1" / f"{1:08X}{0:08X}{number:08X}").touch()
    removed = retention.apply(vault, timedelta(days=7), made[-1].ended)
    assert removed.backups == [made[0].id]
    assert [one.id for one in vault.records()] == [one.id for one in made[1:]]
    assert min(file.name for file in (vault.wal / "a1").iterdir()) == segment_of(1, made[1].start_position)
    assert not list(vault.backups.glob("*.part"))


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


async def keep_object(contents: Contents, key: str, content: bytes, hours: float) -> Path:
    sha256, md5, size = await contents.write(pieces(content))
    contents.add(Kept(key, md5, sha256, size, "audio/mpeg", BEGIN + timedelta(hours=hours)))
    return contents.file(sha256)


def at(contents: Contents, hours: float) -> dict[str, str]:
    return {one.key: one.sha256 for one in contents.at(BEGIN + timedelta(hours=hours))}


async def test_objects_are_known_as_they_were_at_each_moment(vault: Vault) -> None:
    with closing(Contents(vault.objects)) as contents:
        file = await keep_object(contents, "a", b"first", 1)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        await keep_object(contents, "b", b"first", 2)
        contents.mark_gone(["a"], BEGIN + timedelta(hours=3), made_before=BEGIN + timedelta(hours=3))
        await keep_object(contents, "b", b"second", 4)
        assert at(contents, 0.5) == {}
        assert set(at(contents, 2.5)) == {"a", "b"}
        assert set(at(contents, 3)) == {"b"}
        assert at(contents, 3)["b"] == file.name
        assert at(contents, 5)["b"] == hashlib.sha256(b"second").hexdigest()
        assert contents.sizes() == (2, len(b"first") + len(b"second"))


async def test_an_object_that_was_made_while_others_were_looked_for_is_not_taken_for_gone(vault: Vault) -> None:
    with closing(Contents(vault.objects)) as contents:
        await keep_object(contents, "late", b"x", 2)
        contents.mark_gone(["late"], BEGIN + timedelta(hours=3), made_before=BEGIN + timedelta(hours=1))
        assert set(at(contents, 4)) == {"late"}


async def test_contents_stay_as_long_as_a_moment_needs_them(vault: Vault) -> None:
    with closing(Contents(vault.objects)) as contents:
        file = await keep_object(contents, "a", b"deleted", 1)
        os.utime(file, (0, 0))
        contents.mark_gone(["a"], BEGIN + timedelta(hours=3), made_before=BEGIN + timedelta(hours=3))
        assert contents.drop(BEGIN + timedelta(hours=3)) == 0
        assert file.exists()
        assert contents.drop(BEGIN + timedelta(hours=4)) == len(b"deleted")
        assert not file.exists()


async def test_a_content_that_changed_is_found(vault: Vault) -> None:
    with closing(Contents(vault.objects)) as contents:
        file = await keep_object(contents, "a", b"sound", 1)
        assert list(contents.damaged()) == [None]
        file.write_bytes(b"noise")
        (problem,) = contents.damaged()
        assert problem is not None
        assert "has changed" in problem
        file.unlink()
        assert "cannot be read" in (next(contents.damaged()) or "")


def test_a_restore_for_which_there_is_no_room_is_refused(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = record(0)
    keep(vault, made)
    write_manifest(vault.database(made.id), {"1259": b"x" * 3_000_000})
    usage = shutil.disk_usage(tmp_path)._replace(free=MINIMUM_FREE_BYTES + 2_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    choice = Choice(made, made.ended, made.end_position)
    with pytest.raises(StackError, match=r"3 MB are to be restored, the disk of .* has 2 MB to spare"):
        check_room(vault, choice, tmp_path / "deep" / "home")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=MINIMUM_FREE_BYTES + 4_000_000))
    check_room(vault, choice, tmp_path / "deep" / "home")
