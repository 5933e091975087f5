"""Runs the checks of one module under another vendor's client: `python -I run.py <module>`, what is given on stdin.

Prints one JSON object: for each check (a function marked with `claims`, in the order of the file) whether it passed,
what it returned, why it failed, and which requests the client made.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def main(module_name: str) -> None:
    """Run the checks of `module_name`."""
    # At the end: whatever the client's own packages are called, they come first.
    sys.path.append(str(ROOT))
    given = json.load(sys.stdin)
    module = importlib.import_module(module_name)
    requests = _record_requests()
    outcomes = {}
    for name, check in vars(module).items():
        if hasattr(check, "routes"):
            requests.clear()
            outcomes[name] = {**_run(check, given), "requests": list(requests)}
    print(json.dumps(outcomes))


def _run(check: Any, given: dict[str, Any]) -> dict[str, Any]:  # Any: a function of whatever JSON
    try:
        return {"passed": True, "returned": check(given), "error": ""}
    except Exception:  # noqa: BLE001 - whatever it was, it is the check's outcome
        return {"passed": False, "returned": None, "error": traceback.format_exc()}


def _record_requests() -> list[tuple[str, str, int]]:
    """Note the method, path and status of every HTTP request that the clients' library makes from now on."""
    requests: list[tuple[str, str, int]] = []
    for library in ("httpx", "httpx2"):
        if library in sys.modules:
            _record(sys.modules[library], requests)
    return requests


def _record(library: Any, requests: list[tuple[str, str, int]]) -> None:  # Any: one of two libraries
    send, asend = library.Client.send, library.AsyncClient.send

    def recording(client: Any, request: Any, **options: Any) -> Any:
        response = send(client, request, **options)
        requests.append((request.method, request.url.path, response.status_code))
        return response

    async def recording_async(client: Any, request: Any, **options: Any) -> Any:
        response = await asend(client, request, **options)
        requests.append((request.method, request.url.path, response.status_code))
        return response

    library.Client.send, library.AsyncClient.send = recording, recording_async


if __name__ == "__main__":
    main(sys.argv[1])
