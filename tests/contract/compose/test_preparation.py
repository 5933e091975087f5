"""What the first start prepares: secrets, configuration, and the lock of what goes into the image."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from deploy.compose import prepare
from deploy.embedded.credentials import ensure_secrets
from deploy.embedded.processes import Account
from deploy.embedded.programs import NATS_USERS, PROGRAMS
from tests.contract.compose import ROOT
from tests.contract.compose.composition import Composition

US = Account(os.geteuid(), os.getegid())
NOT_IN_THE_IMAGE = {"embedded", "dev", "kokoro", "piper"}
"""The last two speak with weights that their user brings, as docs/engines.md says."""


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """The volumes as Docker first makes them."""
    for volume, where in Composition.read().containers["prepare"].volumes.items():
        assert where.startswith("/volumes/"), volume
        (tmp_path / where.removeprefix("/volumes/")).mkdir(parents=True)
    return tmp_path


def _files(volumes: Path) -> dict[str, str]:
    return {str(path.relative_to(volumes)): path.read_text() for path in volumes.rglob("*") if path.is_file()}


def test_every_container_gets_its_share_and_nobody_else_can_read_it(volumes: Path) -> None:
    prepare.main(volumes, US, US)

    for program in PROGRAMS:
        assert (volumes / "shares" / program.name / f"nats_{program.nats_user}").is_file()
    for path in volumes.rglob("*"):
        if path not in (volumes / "shares", volumes / "data"):
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_second_start_changes_nothing(volumes: Path) -> None:
    prepare.main(volumes, US, US)
    before = _files(volumes)

    prepare.main(volumes, US, US)

    assert _files(volumes) == before


def test_a_changed_secret_is_handed_out_and_a_stale_one_taken_away(volumes: Path) -> None:
    prepare.main(volumes, US, US)
    (volumes / "secrets" / "nats_voice").write_text("changed")
    (volumes / "shares" / "voice" / "database_other_app").write_text("not yours")

    prepare.main(volumes, US, US)

    assert (volumes / "shares" / "voice" / "nats_voice").read_text() == "changed"
    assert '{user: voice, password: "changed", ' in (volumes / "shares" / "nats" / "users.conf").read_text()
    assert not (volumes / "shares" / "voice" / "database_other_app").exists()


def test_the_servers_know_their_users(tmp_path: Path) -> None:
    ensure_secrets(tmp_path)

    shares = prepare.all_shares(tmp_path)

    assert re.findall(r"user: (\w+),", shares["nats"]["users.conf"]) == list(NATS_USERS)
    assert 'include "users.conf"' in shares["nats"]["nats.conf"]
    identity = json.loads(shares["s3"]["s3.json"])["identities"][0]
    keys = {"accessKey": shares["voice"]["s3_access_key"], "secretKey": shares["voice"]["s3_secret_key"]}
    assert identity["credentials"] == [keys]


def test_the_broker_keeps_what_it_acknowledged_and_the_object_store_keeps_to_itself() -> None:
    nats = (ROOT / "deploy/compose/nats.conf").read_text("utf-8")
    assert "sync_interval: always" in nats
    assert "max_payload: 8MB" in nats
    s3 = (ROOT / "deploy/compose/s3.sh").read_text("utf-8")
    assert "-master.telemetry=false" in s3
    assert "-ip.bind=127.0.0.1" in s3
    assert "-fsync=true" in s3


def test_the_image_makes_the_account_that_the_secrets_are_for() -> None:
    assert f"--uid {prepare.ACCOUNT.uid} " in (ROOT / "deploy/Dockerfile").read_text("utf-8")


def test_the_image_gets_the_locked_packages_of_every_extra_that_runs_in_it() -> None:
    locked, runtime = (_packages(f"requirements/{name}.txt") for name in ("lock", "runtime"))
    assert runtime.items() <= locked.items(), "run `make lock`"
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"])
    recipe = (ROOT / "Makefile").read_text("utf-8").partition("\nlock:")[2]
    assert set(re.findall(r"--extra (\w+)", recipe)) == extras - NOT_IN_THE_IMAGE


def test_what_the_image_is_built_from_is_not_ignored() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "deploy/Dockerfile").read_text("utf-8"), re.MULTILINE)
    sources = {source.split("/")[0] for line in copied for source in line.split()}
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    assert kept == sources


def test_the_image_makes_its_model_of_what_it_has_copied_by_then(tmp_path: Path) -> None:
    """Imported in a folder with that alone: the checkout is nowhere on the path."""
    before, _, behind = (ROOT / "deploy/Dockerfile").read_text("utf-8").partition("RUN venv/bin/python -c")
    for source, target in re.findall(r"^COPY (\w+) (\w+)$", before.rpartition("\nFROM ")[2], re.MULTILINE):
        (tmp_path / target).symlink_to(ROOT / source)
    (importing,) = re.findall(r"(from services\S+ import \w+);", behind)
    path = os.pathsep.join((str(tmp_path), sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]))
    # -S: what an editable installation adds to the path is the checkout.
    command = [sys.executable, "-S", "-P", "-B", "-c", importing]
    environment = {"PYTHONPATH": path, "PATH": os.defpath}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _packages(path: str) -> dict[str, str]:
    """The hashes of a lock by requirement."""
    entries = re.split(r"^(?=\w)", (ROOT / path).read_text("utf-8"), flags=re.MULTILINE)
    return dict(entry.split(" \\\n", 1) for entry in entries if "==" in entry)
