"""The table of every route of the vendors' clients: `python -m tests.sdks.compatibility` writes docs/compatibility.md.

A route works when a check claims it, which runs under both versions of the client; how it differs, and why another one
is not offered, stands in `claims.toml` beside the checks.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.sdks.suites import FOLDER, VERSIONS, checks_of
from tests.sdks.vendor_routes import read_routes

DOCUMENT = FOLDER.parents[1] / "docs" / "compatibility.md"
NAMES = {"openai": "OpenAI", "elevenlabs": "ElevenLabs"}
_INTRODUCTION = """\
# Compatibility

Clients of OpenAI's and ElevenLabs' APIs work with Antiphon when their base URL and key are changed: to `/openai/v1` and
`/elevenlabs` at the gateway's address, and an API key of Antiphon ([README](../README.md) has a first request of each).

The paths are also there without the prefix wherever none of Antiphon's own is the same. Errors, headers and retries are
those that each client knows. `elevenlabs` before 2.0 takes its address as
`environment=ElevenLabsEnvironment(base=..., wss=...)`; its `convert_realtime` wants TLS in every version.

This page is written by `python -m tests.sdks.compatibility` from the checks in `tests/sdks`, which run under the
unmodified packages: their newest release and the last of their first major version.
"""


class Unclaimed(Exception):
    """The claims and the routes do not fit; the message says where."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is said of a route; `works` is shown by a check, and `note` says how it differs or why it is not offered."""

    route: str
    works: bool
    note: str

    @property
    def status(self) -> str:
        return ("differs" if self.note else "works") if self.works else "not offered"


def rows_of(vendor: str) -> list[Row]:
    """Return what is said of every route; raises Unclaimed, naming each that nothing or too much is said of."""
    said = tomllib.loads((FOLDER / vendor / "claims.toml").read_text("utf-8"))
    differs: Mapping[str, str] = said["differs"]
    claimed = {route for check in checks_of(vendor) for route in check.routes}
    routes = read_routes(vendor)
    flaws = [f"{route} is claimed by a check, but no client knows it" for route in sorted(claimed - set(routes))]
    flaws += [f"{route} is said to differ, but no check shows it" for route in sorted(set(differs) - claimed)]
    rows = []
    for route in routes:
        reason = differs.get(route, "") if route in claimed else _why_not(route, said["not_offered"])
        if reason is None:
            flaws.append(f"{route} is neither claimed by a check nor in not_offered")
        else:
            rows.append(Row(route, route in claimed, reason))
    if flaws:
        raise Unclaimed("\n  ".join([f"{vendor}: the claims do not fit the routes:", *flaws]))
    return rows


def _why_not(route: str, reasons: Mapping[str, str]) -> str | None:
    path = route.split(" ")[1]
    found = [one for one in reasons if _begins(path if one.startswith("/") else route, one)]
    return reasons[max(found, key=len)] if found else None


def _begins(route: str, beginning: str) -> bool:
    return route == beginning or route.startswith(f"{beginning}/")


def document() -> str:
    """Return the page."""
    return _INTRODUCTION + "".join(part for vendor in VERSIONS for part in _section(vendor))


def _section(vendor: str) -> Iterator[str]:
    rows = rows_of(vendor)
    offered = [row for row in rows if row.works]
    newest, old = VERSIONS[vendor]
    yield f"\n## {NAMES[vendor]}\n\n"
    yield f"`{vendor}` {_locked(newest, vendor)} and {_locked(old, vendor)}: "
    yield f"{len(offered)} of the {len(rows)} routes that they know.\n\n"
    yield "| route | | |\n|---|---|---|\n"
    yield from (f"| `{row.route}` | {row.status} | {row.note} |\n" for row in offered)
    yield f"\n### {NAMES[vendor]}: not offered\n\n| why | routes |\n|---|---|\n"
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if not row.works:
            reasons.setdefault(row.note, []).append(f"`{row.route}`")
    yield from (f"| {reason} | {', '.join(routes)} |\n" for reason, routes in reasons.items())


def _locked(version: str, package: str) -> str:
    lock = Path(FOLDER.parents[1] / "requirements" / "sdks" / f"{version}.txt").read_text("utf-8")
    line = next(line for line in lock.splitlines() if line.startswith(f"{package}=="))
    return line.split("==")[1].split()[0]


if __name__ == "__main__":
    DOCUMENT.write_text(document(), "utf-8")
    print(f"compatibility: {DOCUMENT.name} is written")
