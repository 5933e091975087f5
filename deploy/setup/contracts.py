"""Generate, check and release the contracts in `proto/`: what `make contracts` and its companions run.

`.proto` files become Python modules and their stubs under `libs/contracts/antiphon`. protoc writes imports relative to
its own root (`from antiphon.voice.v1 import …`); they are rewritten to the place where the modules really lie.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GENERATED = Path("libs/contracts/antiphon")
RELEASED = ROOT / "proto" / "released"
DOCS = ROOT / "docs" / "events.md"
USERS = ROOT / "deploy" / "nats_users.json"
# Its imports, and the module name that it gives the message classes, which pickle goes by.
PROTOC_MODULE_NAME = re.compile(
    r"^(from |import |_builder\.BuildTopDescriptorsAndMessages\(DESCRIPTOR, ')antiphon\b", re.MULTILINE
)


class ContractsError(Exception):
    """The contracts are not in order; the message says what to do."""


def main() -> None:
    """Run the action named on the command line; exit 1 with the reason when it fails."""
    parser = argparse.ArgumentParser(prog="python -m deploy.setup.contracts", description=__doc__.splitlines()[0])
    actions = {"generate": generate, "check": check, "release": release}
    parser.add_argument("action", choices=actions)
    try:
        actions[parser.parse_args().action]()
    except ContractsError as error:
        sys.exit(f"contracts: {error}")


def generate() -> None:
    """Make generated code and documentation what `proto/` says now; code that needs no change is not touched."""
    with tempfile.TemporaryDirectory() as scratch:
        wanted, found = _sources(_generate_into(Path(scratch))), _sources(ROOT / GENERATED)
    for name in found.keys() - wanted.keys():
        (ROOT / GENERATED / name).unlink()
    changed = [name for name in wanted if wanted[name] != found.get(name)]
    for name in changed:
        path = ROOT / GENERATED / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wanted[name])
    DOCS.write_text(_event_docs(), encoding="utf-8")
    USERS.write_text(_nats_users(), encoding="utf-8")
    print(f"contracts: {len(wanted)} files in {GENERATED}, {len(changed)} written; {DOCS.relative_to(ROOT)}")


def check() -> None:
    """Lint the contracts, hold them against the last release, and generated code and documentation against them."""
    _buf("lint", fix="correct the .proto file")
    newest = _newest_release()
    if newest is None:
        print("contracts: nothing released yet, so nothing can break")
    else:
        against = str(newest.relative_to(ROOT))
        _buf("breaking", "--against", against, fix="keep what was released and add a new version beside it")
    with tempfile.TemporaryDirectory() as scratch:
        stale = _differences(_generate_into(Path(scratch)), ROOT / GENERATED)
    if stale:
        raise ContractsError("\n  ".join(["generated code is stale; run `make contracts` and commit it:", *stale]))
    if not DOCS.exists() or DOCS.read_text(encoding="utf-8") != _event_docs():
        raise ContractsError(f"{DOCS.relative_to(ROOT)} is stale; run `make contracts` and commit it")
    if not USERS.exists() or USERS.read_text(encoding="utf-8") != _nats_users():
        raise ContractsError(f"{USERS.relative_to(ROOT)} is stale; run `make contracts` and commit it")
    print("contracts: lint, compatibility, generated code, documentation and the broker's users hold")


def release() -> None:
    """Keep today's contracts as the next release, which `check` holds all later ones against."""
    check()
    newest = _newest_release()
    number = int(newest.stem) + 1 if newest else 1
    image = RELEASED / f"{number}.binpb"
    RELEASED.mkdir(exist_ok=True)
    _buf("build", "--exclude-source-info", "--output", str(image.relative_to(ROOT)), fix="correct the .proto file")
    if newest and newest.read_bytes() == image.read_bytes():
        image.unlink()
        raise ContractsError(f"nothing changed since release {newest.stem}")
    # Only now: the examples need the generated code, which the other actions may have to make first.
    from deploy.setup.examples import write_examples

    examples = write_examples(ROOT / "proto" / "examples" / str(number))
    print(f"contracts: released {image.relative_to(ROOT)} with {len(examples)} examples")


def _event_docs() -> str:
    """What docs/events.md has to say now."""
    # Not before the generated code is there: it is what the declarations import.
    from deploy.setup.event_docs import event_docs

    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "image.binpb"
        _buf("build", "--output", str(image), fix="correct the .proto file")
        return event_docs(image)


def _nats_users() -> str:
    """What deploy/nats_users.json has to say now."""
    from deploy.setup.nats_users import nats_users

    return nats_users()


def _newest_release() -> Path | None:
    return max(RELEASED.glob("*.binpb"), key=lambda image: int(image.stem), default=None)


def _generate_into(scratch: Path) -> Path:
    """Generate below `scratch` and return the folder that stands for `libs/contracts/antiphon`."""
    _buf("generate", "--output", str(scratch), fix="correct the .proto file")
    fresh = scratch / GENERATED
    for folder in (fresh, *(path for path in fresh.rglob("*") if path.is_dir())):
        (folder / "__init__.py").touch()
    for module in (*fresh.rglob("*_pb2.py"), *fresh.rglob("*_pb2.pyi")):
        text = module.read_text(encoding="utf-8")
        module.write_text(PROTOC_MODULE_NAME.sub(r"\1libs.contracts.antiphon", text), encoding="utf-8")
    return fresh


def _differences(fresh: Path, present: Path) -> list[str]:
    """What to say about each file that is missing, left over or different in `present`."""
    wanted, found = _sources(fresh), _sources(present)
    missing = [f"{GENERATED / name} is missing" for name in wanted.keys() - found.keys()]
    left_over = [f"{GENERATED / name} has no .proto file" for name in found.keys() - wanted.keys()]
    changed = [f"{GENERATED / name} differs" for name in wanted.keys() & found.keys() if wanted[name] != found[name]]
    return sorted(missing + left_over + changed)


def _sources(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.py*") if path.suffix != ".pyc"}


def _buf(*arguments: str, fix: str) -> None:
    """Run buf offline on the repository; its plugins find `python` in our environment."""
    here = str(Path(sys.executable).parent)
    environment = os.environ | {
        "PATH": os.pathsep.join((here, os.environ.get("PATH", os.defpath))),
        "BUF_CACHE_DIR": str(ROOT / ".cache" / "buf"),
    }
    command: Sequence[str] = (str(Path(here) / "buf"), *arguments)
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise ContractsError(f"`buf {arguments[0]}` failed as it says above; {fix}")


if __name__ == "__main__":
    main()
