"""The routes that vendors' clients know, as their source says: `python -m tests.sdks.vendor_routes` writes them down.

They stand in `tests/sdks/<vendor>/routes.txt`, so that the table of them is made without the clients; a test compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from deploy.setup.sdks import ensure_sdk
from tests.sdks.suites import FOLDER, VERSIONS

_ELEVENLABS = re.compile(
    r'httpx_client\.(?:request|stream)\(\s*f?"([^"]+)",(?:\s*base_url=[^\n]*)?\s*method="([A-Z]+)"'
)
_OPENAI = re.compile(r'self\._(get_api_list|get|post|put|patch|delete)\(\s*(?:path_template\(\s*)?f?"(/[^"]*)"')
_ENCODED = re.compile(r"\{[a-z_]+\((\w+)[^}]*\)\}")
_SOCKETS = {
    "elevenlabs": "WebSocket /v1/text-to-speech/{voice_id}/stream-input",
    "openai": "WebSocket /v1/realtime",
}
"""What the clients put together from parts."""


def routes_of(vendor: str) -> dict[str, tuple[str, ...]]:
    """Return all routes of a vendor's clients (`GET /v1/voices`), and the versions that know each; installs them."""
    found: dict[str, list[str]] = {}
    for version in VERSIONS[vendor]:
        packages = next((ensure_sdk(version).parent.parent / "lib").glob("python*")) / "site-packages" / vendor
        for route in sorted({*_routes_in(vendor, packages), _SOCKETS[vendor]}):
            found.setdefault(route, []).append(version)
    return {route: tuple(found[route]) for route in sorted(found, key=lambda one: (one.split()[1], one))}


def _routes_in(vendor: str, packages: Path) -> Iterator[str]:
    for path in packages.rglob("*.py"):
        source = path.read_text("utf-8")
        if vendor == "elevenlabs":
            for found in _ELEVENLABS.finditer(source):
                yield f"{found[2]} /{_plain(found[1])}"
        else:
            for found in _OPENAI.finditer(source):
                yield f"{found[1].removesuffix('_api_list').upper()} /v1/{_plain(found[2])}"


def _plain(path: str) -> str:
    return _ENCODED.sub(r"{\1}", path).strip("/").partition("?")[0]


def written(routes: dict[str, tuple[str, ...]]) -> str:
    """Return the file: a line for each route, with the versions that know it."""
    return "".join(f"{route}  {' '.join(versions)}\n" for route, versions in routes.items())


def read_routes(vendor: str) -> dict[str, tuple[str, ...]]:
    """Return what is written down."""
    lines = (FOLDER / vendor / "routes.txt").read_text("utf-8").splitlines()
    pairs = (line.split("  ") for line in lines)
    return {route: tuple(versions.split()) for route, versions in pairs}


if __name__ == "__main__":
    for one in VERSIONS:
        (FOLDER / one / "routes.txt").write_text(written(routes_of(one)), "utf-8")
