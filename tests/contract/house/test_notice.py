from __future__ import annotations

import re

from tests.contract.house import ROOT


def test_every_locked_package_is_named_with_a_licence() -> None:
    table = (ROOT / "NOTICE").read_text(encoding="utf-8").split("Python packages\n")[1]
    named = {_normal(name) for name in re.findall(r"^  (\S+)  +\S", table, re.MULTILINE)}
    locked = {name for lock in (ROOT / "requirements").rglob("*.txt") for name in _locked(lock.read_text("utf-8"))}
    assert sorted(locked - named) == [], "name them in NOTICE with the licence from their metadata"
    assert sorted(named - locked) == [], "NOTICE names packages that are no longer locked"


def _locked(lock: str) -> set[str]:
    """The packages of a lock, without those for systems that Antiphon does not run on (`sys_platform == 'win32'`)."""
    lines = [line for line in lock.splitlines() if "==" in line and not line.startswith((" ", "#"))]
    return {_normal(line.split("==")[0]) for line in lines if "sys_platform == '" not in line}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
