"""Other vendors' clients, each in an environment of its own, for the tests that hold the gateway to them.

They are nothing that Antiphon runs on: an environment is made in `.cache/sdks` when a test first asks for it, from the
hash-locked packages in `requirements/sdks`, and made anew when its lock or the Python changes.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
from pathlib import Path

from deploy.setup.install import ROOT, UV, VENV_PYTHON, SetupError, run_step

LOCKS = ROOT / "requirements" / "sdks"
ENVIRONMENTS = ROOT / ".cache" / "sdks"


def ensure_sdk(name: str) -> Path:
    """Return the Python of the environment that `requirements/sdks/<name>.txt` describes, made now if need be.

    Several processes may ask at once. Raises SetupError, which says what to do, when a package cannot be had.
    """
    lock = LOCKS / f"{name}.txt"
    if not lock.is_file():
        known = ", ".join(sorted(path.stem for path in LOCKS.glob("*.txt")))
        raise SetupError(f"there is no client {name!r}; there are {known}")
    environment = ENVIRONMENTS / name
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with (ENVIRONMENTS / f"{name}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        _make_current(environment, lock)
    return environment / "bin" / "python"


def _make_current(environment: Path, lock: Path) -> None:
    wanted = f"{sys.version}\n{VENV_PYTHON}\n{hashlib.sha256(lock.read_bytes()).hexdigest()}\n"
    stamp = environment / "finished"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    shutil.rmtree(environment, ignore_errors=True)
    try:
        run_step(
            [str(UV), "venv", "--quiet", "--no-project", "--python", str(VENV_PYTHON), str(environment)], show=False
        )
        sync = ["pip", "sync", "--require-hashes", "--only-binary", ":all:", "--compile-bytecode"]
        run_step([str(UV), *sync, "--python", str(environment / "bin" / "python"), str(lock)], show=False)
    except SetupError as error:
        raise SetupError(
            f"the client {environment.name}, which only tests need, was not installed: {error}\n"
            "Without a package index, run the other tests: make test TESTS='tests --ignore=tests/e2e/sdks'"
        ) from error
    stamp.write_text(wanted)
