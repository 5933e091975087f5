"""Rules about the tree that no linter knows."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.contract.house import ROOT

PRODUCT = ("services", "libs", "deploy")
CATCH_ALLS = {"common", "helper", "helpers", "misc", "util", "utils"}


def _modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py"))


def test_every_module_is_named_for_what_it_is() -> None:
    assert [str(path) for path in _modules(*PRODUCT, "tests") if CATCH_ALLS & {path.stem, *path.parts}] == []


def test_every_folder_with_code_is_a_package() -> None:
    folders = {path.parent for path in _modules("services", "libs", "tests") if "alembic" not in path.parts}
    scripts = {folder for folder in folders if "migrations" in folder.parts}
    assert [str(folder) for folder in folders - scripts if not (ROOT / folder / "__init__.py").is_file()] == []


def test_processes_step_back_in_one_way() -> None:
    """Niceness alone does nothing for a process that has a session of its own."""
    texts = {str(path): (ROOT / path).read_text("utf-8") for path in _modules(*PRODUCT)}
    assert [path for path, text in texts.items() if "os.nice(" in text or "os.setpriority(" in text] == [
        "libs/niceness.py"
    ]


def test_the_locks_name_no_index() -> None:
    for lock in (ROOT / "requirements").rglob("*.txt"):
        assert "://" not in lock.read_text("utf-8"), f"{lock.name} says where its packages come from"


def test_make_alone_prints_what_there_is() -> None:
    said = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    named = {line.split()[0] for line in said.splitlines() if line.startswith("  ")}
    assert named >= {"setup", "up", "down", "test", "check", "bench", "lint", "format", "contracts", "migrate", "help"}
