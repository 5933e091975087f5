"""What goes wrong with a backup is told, and leaves the others as they were."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from deploy.backup.vault import Vault
from deploy.backup.wal import segment_of
from tests.chaos.processes import paused
from tests.integration.backup.conftest import BackedUp, temporary_directory
from tests.support.polling import eventually
from tests.support.stack import ROOT


@pytest.mark.timeout(180)
async def test_a_backup_that_is_killed_is_none_and_the_next_one_is(backed_up: BackedUp) -> None:
    await backed_up.has_first()
    before = backed_up.listed()
    process = start_backup(backed_up)

    async def is_writing() -> bool:
        return any(backed_up.vault.glob("backups/*.part/database/base"))

    await eventually(is_writing, within=30, what="a backup that is being written")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert backed_up.listed() == before
    assert "what was written" in backed_up.stack.run("backup", "verify").stdout
    backed_up.stack.run("backup")
    assert len(backed_up.listed()) == len(before) + 1
    assert not list(backed_up.vault.glob("backups/*.part"))


@pytest.mark.timeout(180)
async def test_a_backup_that_fails_leaves_nothing_and_says_why(backed_up: BackedUp) -> None:
    await backed_up.has_first()
    before = backed_up.listed()
    async with backed_up.at_rest():
        with Vault(backed_up.vault).writing():
            busy = backed_up.stack.run("backup", check=False)
    assert "Another backup is being written" in busy.stderr
    index = backed_up.vault / "objects" / "index.db"
    kept = index.with_name("kept")
    async with backed_up.at_rest():
        index.rename(kept)
        index.mkdir()
        try:
            failed = backed_up.stack.run("backup", "--full", check=False)
        finally:
            index.rmdir()
            kept.rename(index)
    assert failed.returncode == 1
    assert "could not be written" in failed.stderr
    assert backed_up.listed() == before
    assert not list(backed_up.vault.glob("backups/*.part"))


async def test_damage_is_found_wherever_it_is(backed_up: BackedUp) -> None:
    await backed_up.has_first()
    with temporary_directory() as folder:
        copy = folder / "vault"
        shutil.copytree(backed_up.vault, copy)
        database = max(copy.glob("backups/*/database/base/*/*"), key=lambda file: file.stat().st_size)
        content = next(file for file in copy.glob("objects/??/*"))
        first = Vault(copy).records()[0]
        (log,) = copy.glob(f"wal/{first.line}/{segment_of(first.timeline, first.start_position)}*")
        for file in (database, content):
            damage(file, file.stat().st_size // 2)
        for place in range(0, log.stat().st_size, 64):
            damage(log, place)
        checked = backed_up.stack.run("backup", "verify", "--dir", str(copy), check=False)
        assert checked.returncode == 1
        assert f"{database.name} has changed" in checked.stdout
        assert f"{content.name} has changed" in checked.stdout
        assert f"the log in {log.parent} is damaged" in checked.stdout
        assert "antiphon backup --full" in checked.stderr
        # Nothing is brought back from it either.
        home = folder / "home"
        refused = backed_up.stack.run("restore", "--to", "latest", "--dir", str(copy), "--into", str(home), check=False)
        assert refused.returncode == 1
        assert "cannot be restored" in refused.stderr
        assert not home.exists()


@pytest.mark.timeout(240)
async def test_a_directory_with_data_is_only_replaced_by_its_name_and_put_aside(backed_up: BackedUp) -> None:
    await backed_up.has_first()
    running = backed_up.stack.run("restore", "--to", "latest", check=False)
    assert running.returncode == 1
    assert "antiphon down" in running.stderr
    with temporary_directory() as folder:
        home = folder / "home"
        home.mkdir()
        (home / "precious").write_text("data")
        refused = backed_up.stack.run("restore", "--to", "latest", "--into", str(home), check=False)
        assert refused.returncode == 1
        assert f"--replace {home}" in refused.stderr
        out_of_reach = backed_up.stack.run(
            *("restore", "--to", "2001-01-01", "--into", str(home), "--replace", str(home)), check=False
        )
        assert "first moment that can be restored" in out_of_reach.stderr
        assert (home / "precious").read_text() == "data"
        async with nobody_writes(backed_up):
            # The last moment of a system that rests is followed by no commit but the backup's own.
            backed_up.stack.run("backup")
            shutil.copytree(backed_up.vault, folder / "vault")
            where = ("--dir", str(folder / "vault"), "--into", str(home), "--replace", str(home))
            backed_up.stack.run("restore", "--to", "latest", *where)
        (aside,) = folder.glob("home.before-*")
        assert (aside / "precious").read_text() == "data"
        assert (home / "VERSION").exists()


@asynccontextmanager
async def nobody_writes(backed_up: BackedUp) -> AsyncIterator[None]:
    """Stop every process but the servers; they go on after the block."""
    stack = backed_up.stack
    async with backed_up.at_rest():
        with ExitStack() as stopped:
            for name in stack.record["processes"].keys() - {"postgres", "nats", "s3", "launcher", "backup"}:
                stopped.enter_context(paused(stack, name))
            yield


def start_backup(backed_up: BackedUp) -> subprocess.Popen[bytes]:
    """Begin with a full backup."""
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.cli.main", "backup", "--full"],
        env=dict(backed_up.stack.environment),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def damage(file: Path, place: int) -> None:
    """Change one byte of a file."""
    with file.open("r+b") as content:
        content.seek(place)
        byte = content.read(1)
        content.seek(-1, os.SEEK_CUR)
        content.write(bytes([byte[0] ^ 0xFF]))
