"""Environments for other vendors' clients."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.setup import sdks
from deploy.setup.install import SetupError
from tests.contract.house import ROOT


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of locks, and no package index."""
    locks = tmp_path / "locks"
    locks.mkdir()
    monkeypatch.setattr(sdks, "LOCKS", locks)
    monkeypatch.setattr(sdks, "ENVIRONMENTS", tmp_path / "environments")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return locks


def test_each_client_is_locked_at_the_newest_and_at_an_old_version() -> None:
    locked = {path.stem for path in (ROOT / "requirements" / "sdks").glob("*.txt")}
    assert locked == {"openai", "openai-1", "elevenlabs", "elevenlabs-1"}


def test_an_environment_is_made_once_and_again_when_its_lock_changes(locks: Path) -> None:
    (locks / "client.txt").write_text("# nothing yet\n")
    python = sdks.ensure_sdk("client")
    mark = python.parent / "mark"
    mark.touch()

    assert sdks.ensure_sdk("client") == python
    assert mark.exists()

    (locks / "client.txt").write_text("# changed\n")
    assert sdks.ensure_sdk("client").exists()
    assert not mark.exists()


def test_what_was_interrupted_is_made_anew(locks: Path) -> None:
    (locks / "client.txt").write_text("# nothing yet\n")
    python = sdks.ensure_sdk("client")
    (python.parent.parent / "finished").unlink()
    python.unlink()

    assert sdks.ensure_sdk("client").exists()


def test_without_an_index_it_says_what_can_be_done(locks: Path) -> None:
    (locks / "client.txt").write_text(f"antiphon-none==1.0 --hash=sha256:{'0' * 64}\n")

    with pytest.raises(SetupError, match=r"(?s)client, which only tests need.*make test TESTS="):
        sdks.ensure_sdk("client")


def test_a_client_that_nobody_locked_is_refused_with_those_there_are(locks: Path) -> None:
    (locks / "client.txt").touch()

    with pytest.raises(SetupError, match="no client 'other'; there are client"):
        sdks.ensure_sdk("other")
