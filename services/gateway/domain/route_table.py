"""Finding the route of a request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from services.gateway.domain.routes import Route


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
