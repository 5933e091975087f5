from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

from deploy.backup.tail import Change, changes_of

MOMENT = datetime(2026, 11, 21, 14, 10, 16, tzinfo=UTC)
FOLDER = "/buckets/antiphon/voices/system"


def entry(name: str, *, is_directory: bool = False) -> dict[str, Any]:
    tag = b64encode(b'"9c4772e0"').decode()
    return {"name": name, "isDirectory": is_directory, "extended": {"Seaweed-X-Amz-ETag": tag}}


def line(before: dict[str, Any] | None, after: dict[str, Any] | None, folder: str = FOLDER, to: str = "") -> Any:
    notification = {"oldEntry": before, "newEntry": after, "newParentPath": to}
    return {"directory": folder, "tsNs": str(int(MOMENT.timestamp()) * 10**9), "eventNotification": notification}


def test_what_is_written_and_what_goes_is_told_by_its_key() -> None:
    assert changes_of(line(None, entry("a"))) == [Change("voices/system/a", MOMENT, is_gone=False, etag="9c4772e0")]
    assert changes_of(line(entry("a"), None)) == [Change("voices/system/a", MOMENT, is_gone=True)]


def test_what_is_written_anew_is_not_gone_and_what_is_moved_is() -> None:
    assert [change.is_gone for change in changes_of(line(entry("a"), entry("a")))] == [False]
    moved = changes_of(line(entry("a"), entry("b"), to="/buckets/antiphon/voices"))
    assert {(change.key, change.is_gone) for change in moved} == {("voices/b", False), ("voices/system/a", True)}


def test_directories_and_parts_of_uploads_are_no_objects() -> None:
    assert changes_of(line(None, entry("system", is_directory=True))) == []
    assert changes_of(line(None, entry("0001.part"), folder="/buckets/antiphon/.uploads/1f")) == []
