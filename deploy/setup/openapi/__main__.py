"""Generate, check and release the OpenAPI document: what `make contracts` and its companions run."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from deploy.setup.openapi.breaking import breaking_changes
from deploy.setup.openapi.document import Undescribed, make_document
from deploy.setup.openapi.rules import flaws_of
from deploy.setup.openapi.sources import Json, sources
from services.gateway.domain.routes import ROUTES

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "proto" / "http" / "openapi.json"
SERVED = ROOT / "services" / "gateway" / "api" / "documentation" / "openapi.json"
"""The same as the gateway sends it."""
RELEASES = ROOT / "proto" / "http" / "releases"


class DocumentError(Exception):
    """The document is not in order; the message says what to do."""


def main() -> None:
    """Run the action named on the command line; exit 1 with the reason when it fails."""
    parser = argparse.ArgumentParser(prog="python -m deploy.setup.openapi", description=__doc__)
    actions = {"generate": generate, "check": check, "release": release}
    parser.add_argument("action", choices=actions)
    try:
        actions[parser.parse_args().action]()
    except (DocumentError, Undescribed) as error:
        sys.exit(f"openapi: {error}")


def generate() -> None:
    """Make the document what the routes say now."""
    document = current()
    for path, text in _texts(document).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"openapi: {_count(document)} operations in {DOCUMENT.relative_to(ROOT)}")


def check() -> None:
    """Hold the document against the routes, and against what clients of the last release go by."""
    document = current()
    for path, text in _texts(document).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            raise DocumentError(f"{path.relative_to(ROOT)} is stale; run `make contracts` and commit it")
    flaws = flaws_of(document)
    if flaws:
        raise DocumentError("\n  ".join(["not everything is said:", *flaws]))
    newest = _newest_release()
    if newest is not None:
        changes = breaking_changes(json.loads(newest.read_text(encoding="utf-8")), document)
        if changes:
            advice = f"this breaks clients of release {newest.stem}; keep what it has, and add beside it:"
            raise DocumentError("\n  ".join([advice, *changes]))
    against = f"nothing breaks clients of release {newest.stem}" if newest else "nothing is released yet"
    print(f"openapi: {_count(document)} operations, each described; {against}")


def release() -> None:
    """Keep today's document as the next release, which `check` holds all later ones against."""
    check()
    newest = _newest_release()
    if newest and newest.read_bytes() == SERVED.read_bytes():
        raise DocumentError(f"nothing changed since release {newest.stem}")
    path = RELEASES / f"{int(newest.stem) + 1 if newest else 1}.json"
    RELEASES.mkdir(parents=True, exist_ok=True)
    path.write_bytes(SERVED.read_bytes())
    print(f"openapi: released {path.relative_to(ROOT)}")


def _newest_release() -> Path | None:
    return max(RELEASES.glob("*.json"), key=lambda path: int(path.stem), default=None)


def current() -> Json:
    """Return the document of the routes as they are; raises Undescribed."""
    return make_document(ROUTES, sources())


def _texts(document: Json) -> dict[Path, str]:
    return {
        DOCUMENT: json.dumps(document, indent=1, ensure_ascii=False) + "\n",
        SERVED: json.dumps(document, separators=(",", ":"), ensure_ascii=False),
    }


def _count(document: Json) -> int:
    return sum(len(item) for item in document["paths"].values())


if __name__ == "__main__":
    main()
