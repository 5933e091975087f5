from __future__ import annotations

from deploy.backup.runner import Health


def test_what_does_not_work_is_told_until_it_does() -> None:
    health = Health()
    assert health.answer().startswith(b"HTTP/1.1 200 OK\r\n")
    health.troubles["backup"] = "the disk\nis full"
    answer = health.answer()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert answer.endswith(b"\r\n\r\nbackup: the disk is full")
    assert b"Content-Length: 24\r\n" in answer
    del health.troubles["backup"]
    assert health.answer().startswith(b"HTTP/1.1 200 OK\r\n")
