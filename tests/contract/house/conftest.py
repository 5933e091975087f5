"""A copy of the repository to break rules in."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.house import ROOT

NOT_SOURCE = (".git", ".venv", ".antiphon", ".bench", ".cache", "__pycache__", "*.egg-info", ".*_cache", ".hypothesis")


@dataclass(frozen=True)
class Tree:
    """A writable copy of the repository that shares the environment of the original."""

    root: Path

    def write(self, path: str, text: str) -> None:
        """Write one file, and make packages of the folders above it."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        for folder in target.relative_to(self.root).parents:
            if folder != Path() and not (self.root / folder / "__init__.py").exists():
                (self.root / folder / "__init__.py").touch()
        target.write_text(text, encoding="utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace the one place where `old` stands in a file."""
        text = (self.root / path).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        (self.root / path).write_text(text.replace(old, new), encoding="utf-8")

    def run(self, *command: str) -> tuple[int, str]:
        """Run a tool of the environment in the copy; the exit status and all it said."""
        tool = str(self.root / ".venv" / "bin" / command[0])
        return self._run([tool, *command[1:]])

    def make(self, target: str) -> tuple[int, str]:
        """Run a make target in the copy, set-up aside: the environment is the original's."""
        return self._run(["make", "PYTHON=true", target])

    def _run(self, command: list[str]) -> tuple[int, str]:
        done = subprocess.run(command, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout.decode()


@pytest.fixture
def plant(tmp_path: Path) -> Callable[..., Tree]:
    """Make a copy of the repository; `also` names caches to take along."""

    def make_tree(*, also: tuple[str, ...] = ()) -> Tree:
        # A folder with a space in its name, for recipes have to bear it.
        root = tmp_path / "a copy"
        shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*NOT_SOURCE), symlinks=True)
        for cache in also:
            if (ROOT / cache).is_dir():
                shutil.copytree(ROOT / cache, root / cache)
        (root / ".venv").symlink_to(ROOT / ".venv")
        return Tree(root)

    return make_tree
