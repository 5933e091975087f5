"""What each service's routes, and the gateway's own, say of themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts

from services.analytics.api import router as analytics
from services.embedding.api import router as embedding
from services.gateway.api.own import ROUTERS as GATEWAY
from services.generation.api import router as generation
from services.storage.api import router as storage
from services.voice.api import router as voice

Json = dict[str, Any]  # Any: OpenAPI is as deep as it is
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
INVALID = "Validation Error"
GATEWAY_NAME = "gateway"


@dataclass(frozen=True, slots=True)
class Source:
    """The OpenAPI document of one service, whose operations are called like their functions."""

    name: str
    document: Json
    functions: Mapping[tuple[str, str], str]
    """What is called for method and path, whether it is described there or not."""

    def operation(self, method: str, path: str) -> Json | None:
        """Return an operation, or None."""
        found: Json | None = self.document["paths"].get(path, {}).get(method.lower())
        return found

    def twin(self, method: str, path: str) -> Json | None:
        """Return the operation, described at another path, that has the function of the one at this path."""
        function = self.functions.get((method, path))
        for other, name in self.functions.items():
            if name == function is not None and other[0] == method and other[1] != path:
                found = self.operation(*other)
                if found is not None:
                    return found
        return None

    def operations(self) -> Iterator[tuple[str, str]]:
        """Yield method and path of every operation."""
        for path, item in self.document["paths"].items():
            yield from ((method.upper(), path) for method in METHODS if method in item)

    @property
    def schemas(self) -> Json:
        """The schemas by their names."""
        schemas: Json = self.document.get("components", {}).get("schemas", {})
        return schemas


def sources() -> dict[str, Source]:
    """Return the documents of all services and of the gateway, by name; nothing is connected to."""
    services: dict[str, Sequence[APIRouter]] = {
        "voice": [voice],
        "generation": [generation],
        "storage": [storage],
        "embedding": [embedding],
        "analytics": [analytics],
        GATEWAY_NAME: GATEWAY,
    }
    return {name: _source(name, routers) for name, routers in services.items()}


def _source(name: str, routers: Sequence[APIRouter]) -> Source:
    app = FastAPI(title="Antiphon", generate_unique_id_function=lambda route: route.name)
    for router in routers:
        app.include_router(router)
    functions = {
        (method, context.path): f"{context.endpoint.__module__}.{context.endpoint.__qualname__}"
        for context in iter_route_contexts(app.routes)
        for method in context.methods or ()
        if context.endpoint is not None and context.path is not None
    }
    document = app.openapi()
    for item in document["paths"].values():
        for operation in item.values():
            # FastAPI's own, which no route answers.
            for status in [key for key, one in operation["responses"].items() if one["description"] == INVALID]:
                del operation["responses"][status]
    return Source(name, document, functions)
