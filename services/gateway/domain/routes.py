"""The public routes that other services answer: one table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

Service = Literal["voice", "generation", "storage", "embedding", "analytics"]
SERVICES = frozenset(get_args(Service))

MIB = 2**20
JSON_BYTES = 1 * MIB
BOOK_BYTES = 13 * MIB
"""1,000,000 characters that JSON writes as two escaped halves each, and what else a request says."""
VOICE_BYTES = 21 * MIB
"""A voice's recordings of at most 20 MB in all, and the form around them."""
ANSWER_SECONDS = 30.0
WAIT_SECONDS = 75.0
"""A generation may be waited for for 60 s (`Prefer: wait`); what comes before and after needs some, too."""
UPLOAD_SECONDS = 300.0
"""21 MiB at 600 kbit/s."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. `{name}` in the template stands for one segment.

    `body_bytes` is the longest request body; `answer_seconds` the time from the request's first byte until the
    answer begins, and afterwards the longest pause within it.
    """

    method: str
    template: str
    service: Service
    body_bytes: int = JSON_BYTES
    answer_seconds: float = ANSWER_SECONDS


ROUTES = (
    Route("GET", "/v1/voices", "voice"),
    Route("POST", "/v1/voices", "voice", body_bytes=VOICE_BYTES, answer_seconds=UPLOAD_SECONDS),
    Route("GET", "/v1/voices/categories", "voice"),
    Route("GET", "/v1/voices/{voice_id}", "voice"),
    Route("PATCH", "/v1/voices/{voice_id}", "voice"),
    Route("DELETE", "/v1/voices/{voice_id}", "voice"),
    Route("GET", "/v1/voices/{voice_id}/audio", "voice"),
    Route("HEAD", "/v1/voices/{voice_id}/audio", "voice"),
    Route("GET", "/v1/voices/{voice_id}/preview", "voice"),
    Route("HEAD", "/v1/voices/{voice_id}/preview", "voice"),
    Route("GET", "/v1/voices/{voice_id}/settings", "voice"),
    Route("PUT", "/v1/voices/{voice_id}/settings", "voice"),
    Route("GET", "/v1/voices/{voice_id}/samples", "voice"),
    Route("DELETE", "/v1/voices/{voice_id}/samples/{sample_id}", "voice"),
    Route("GET", "/v1/voices/{voice_id}/samples/{sample_id}/audio", "voice"),
    Route("HEAD", "/v1/voices/{voice_id}/samples/{sample_id}/audio", "voice"),
    Route("GET", "/v1/generations", "generation"),
    Route("POST", "/v1/generations", "generation", BOOK_BYTES, WAIT_SECONDS),
    Route("POST", "/v1/generations/stream", "generation", answer_seconds=WAIT_SECONDS),
    Route("POST", "/v1/generations/stream/with-timestamps", "generation", answer_seconds=WAIT_SECONDS),
    Route("POST", "/v1/generations/download", "generation"),
    Route("GET", "/v1/generations/{generation_id}", "generation"),
    Route("POST", "/v1/generations/{generation_id}/cancel", "generation"),
    Route("POST", "/v1/generations/{generation_id}/retry", "generation"),
    Route("POST", "/v1/generations/{generation_id}/revise", "generation", BOOK_BYTES, WAIT_SECONDS),
    Route("GET", "/v1/generations/{generation_id}/attempts", "generation"),
    Route("GET", "/v1/generations/{generation_id}/audio/partial", "generation", answer_seconds=WAIT_SECONDS),
    Route("DELETE", "/v1/generations/{generation_id}", "generation"),
    Route("GET", "/v1/generations/{generation_id}/audio", "generation"),
    Route("HEAD", "/v1/generations/{generation_id}/audio", "generation"),
    Route("GET", "/v1/generations/{generation_id}/alignment", "generation"),
    Route("GET", "/v1/dictionaries", "generation"),
    Route("POST", "/v1/dictionaries", "generation"),
    Route("GET", "/v1/dictionaries/{dictionary_id}", "generation"),
    Route("DELETE", "/v1/dictionaries/{dictionary_id}", "generation"),
    Route("POST", "/v1/dictionaries/{dictionary_id}/versions", "generation"),
    Route("GET", "/v1/models", "generation"),
    Route("GET", "/v1/usage", "analytics"),
    Route("POST", "/v1/search", "embedding"),
)


class MethodNotAllowed(Exception):
    """The path exists, but not with this method; `allowed` are those that it has."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(", ".join(allowed))
        self.allowed = tuple(allowed)


# No escapes, and neither "." nor "..": what a service's router sees is then exactly what was matched here, and a path
# cannot mean one route to the gateway and another one to the service.
_PARAMETER = re.compile(r"(?!\.\.?$)[A-Za-z0-9._~-]{1,200}", re.ASCII)


@dataclass(slots=True)
class _Node:
    """The paths that go on from one segment."""

    literals: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    routes: dict[str, Route] = field(default_factory=dict)


class RouteTable:
    """Finds the route of a request."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)

    def find(self, method: str, path: str) -> Route | None:
        """Return the route of `path`, which is as it came, escapes and all; None where there is none.

        Raises MethodNotAllowed.
        """
        node = _walk(self._root, path.split("/"), 1) if path.startswith("/") else None
        if node is None:
            return None
        route = node.routes.get(method)
        if route is None:
            raise MethodNotAllowed(sorted(node.routes))
        return route

    def _add(self, route: Route) -> None:
        node = self._root
        for segment in route.template.split("/")[1:]:
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment, _Node())
        if route.method in node.routes:
            raise ValueError(f"two routes for {route.method} {route.template}")
        node.routes[route.method] = route


def _walk(node: _Node, segments: Sequence[str], position: int) -> _Node | None:
    if position == len(segments):
        return node if node.routes else None
    segment = segments[position]
    literal = node.literals.get(segment)
    found = _walk(literal, segments, position + 1) if literal else None
    if found is None and node.parameter is not None and _PARAMETER.fullmatch(segment):
        found = _walk(node.parameter, segments, position + 1)
    return found
