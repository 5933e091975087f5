"""The one document, made by the route table of what services say of their routes."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version

from deploy.setup.openapi.errors import SCHEMAS
from deploy.setup.openapi.operations import alias_of, both, finished, head_of
from deploy.setup.openapi.sharing import shared_responses
from deploy.setup.openapi.sources import GATEWAY_NAME, Json, Source
from libs.web.described import ASKS, HANDED_OVER
from libs.web.problems import MEDIA_TYPE
from services.gateway.domain.routes import Route

DESCRIPTION = """\
Text in, speech with character-level timing out. Every request carries `Authorization: Bearer <API key>`.

Lists are `{"items": [...], "next_cursor": null}`: hand `next_cursor` back as `cursor` for the next page. Times are UTC,
durations are seconds. Every error is `application/problem+json` with a stable `code`; unknown and foreign ids are
answered alike. An answer 503 says that nothing was done: repeat the request after `Retry-After`."""
SECURITY: Json = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key of Antiphon, `ant_…`."},
    "xi_api_key": {
        "type": "apiKey",
        "in": "header",
        "name": "xi-api-key",
        "description": "The same key, in the header in which ElevenLabs' clients send it; every route takes either.",
    },
}
_SCHEMA = "#/components/schemas/"
_BY_FASTAPI = {"HTTPValidationError", "ValidationError"}


class Undescribed(Exception):
    """The route table and what services say of their routes do not fit; the message says what to do."""


def make_document(routes: Sequence[Route], sources: Mapping[str, Source]) -> Json:
    """Return the OpenAPI 3.1 document of `routes`; raises Undescribed, naming every route that is not in order."""
    schemas, sources = _schemas(sources)
    flaws: list[str] = []
    paths: Json = {}
    for route in sorted(routes, key=lambda route: (route.method == "HEAD", route.template)):
        operation = _operation(route, sources, schemas, paths)
        if operation is None:
            flaws.append(_missing(route))
        else:
            paths.setdefault(route.template, {})[route.method.lower()] = operation
    flaws += _unlisted(routes, sources) + _names_twice(paths)
    if flaws:
        raise Undescribed("\n  ".join(["the routes and their descriptions do not fit:", *flaws]))
    responses = shared_responses(paths)
    tags = {tag for item in paths.values() for operation in item.values() for tag in operation["tags"]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Antiphon",
            "version": version("antiphon"),
            "summary": "Self-hosted voice platform",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Where this document comes from."}],
        "tags": [{"name": tag} for tag in sorted(tags)],
        "paths": {path: paths[path] for path in sorted(paths)},
        "components": {
            "schemas": _used(schemas, {**paths, "": responses}),
            "responses": responses,
            "securitySchemes": SECURITY,
        },
    }


def _operation(route: Route, sources: Mapping[str, Source], schemas: Json, paths: Json) -> Json | None:
    described = sources[route.service or GATEWAY_NAME].operation(route.method, route.template)
    if described is not None:
        return finished(_with_asked(_with_bytes(described, sources), sources), route, schemas)
    twin = sources[route.service or GATEWAY_NAME].twin(route.method, route.template)
    if twin is not None:
        return finished(_with_asked(alias_of(twin, route), sources), route, schemas)
    get = paths.get(route.template, {}).get("get")
    return head_of(get) if route.method == "HEAD" and get else None


def _with_asked(described: Json, sources: Mapping[str, Source]) -> Json:
    """Return an operation with the problems of those that it asks."""
    operation = copy.deepcopy(described)
    for one in described.get(ASKS, ()):
        service, method, path = one.split(" ")
        asked = sources[service].operation(method, path)
        if asked is None:
            raise Undescribed(f"{operation['operationId']} asks {one}, which is not there")
        for status, answer in asked["responses"].items():
            if MEDIA_TYPE in answer.get("content", {}):
                mine = operation["responses"].get(status, answer)
                operation["responses"][status] = mine if mine is answer else both(answer, mine)
    return operation


def _with_bytes(described: Json, sources: Mapping[str, Source]) -> Json:
    """Return an operation with what is said of the bytes by the service to which it is handed over."""
    if HANDED_OVER not in described:
        return described
    operation = copy.deepcopy(described)
    service, path = operation.pop(HANDED_OVER).split(" ")
    sender = sources[service].operation("GET", path)
    if sender is None:
        raise Undescribed(f"{operation['operationId']} is handed over to {service} {path}, which is not there")
    operation["responses"] = {**sender["responses"], **{k: v for k, v in operation["responses"].items() if k != "200"}}
    known = {parameter["name"] for parameter in operation.get("parameters", ())}
    further = [one for one in sender.get("parameters", ()) if one["in"] == "header" and one["name"] not in known]
    operation["parameters"] = [*operation.get("parameters", ()), *further]
    return operation


def _schemas(sources: Mapping[str, Source]) -> tuple[Json, dict[str, Source]]:
    """Return all schemas by names of their own, and the sources with references to those."""
    schemas: Json = dict(SCHEMAS)
    renamed: dict[str, Source] = {}
    for name, source in sources.items():
        names = {one: _own_name(one, schema, name, schemas) for one, schema in source.schemas.items()}
        text = json.dumps(source.document)
        for one, own in names.items():
            text = text.replace(f'"{_SCHEMA}{one}"', f'"{_SCHEMA}{own}"')
        renamed[name] = replace(source, document=json.loads(text))
        schemas |= {names[one]: schema for one, schema in renamed[name].schemas.items() if one not in _BY_FASTAPI}
    return schemas, renamed


def _own_name(name: str, schema: Json, source: str, taken: Json) -> str:
    """FastAPI tells models of one name apart by their modules; models of two services are told apart by the service."""
    *modules, last = name.split("__")
    short = f"{modules[-2].capitalize()}{last}" if len(modules) > 1 else last
    return short if taken.get(short, schema) == schema else f"{source.capitalize()}{short}"


def _missing(route: Route) -> str:
    where = f"services/{route.service}/api" if route.service else "a router in services/gateway/api/own.py ROUTERS"
    return f"{route.method} {route.template} is in the route table, but {where} has no such route in its schema"


def _unlisted(routes: Sequence[Route], sources: Mapping[str, Source]) -> list[str]:
    listed = {(route.method, route.template) for route in routes}
    return [
        f"{method} {path} of {source.name} is not in services/gateway/domain/routes.py: add it there, with its scope"
        for source in sources.values()
        for method, path in source.operations()
        if not path.startswith("/internal/") and (method, path) not in listed and path != "/"
    ]


def _names_twice(paths: Json) -> list[str]:
    seen: dict[str, str] = {}
    flaws = []
    for path, item in paths.items():
        for method, operation in item.items():
            name, place = operation["operationId"], f"{method.upper()} {path}"
            if seen.setdefault(name, place) != place:
                flaws.append(f"{place} and {seen[name]} are both called {name}: rename the function of one of them")
    return flaws


def _used(schemas: Json, paths: Json) -> Json:
    """Only the schemas that the paths refer to, and what those refer to."""
    used: Json = {}
    pending = list(_references(paths))
    while pending:
        name = pending.pop()
        if name not in used:
            used[name] = schemas[name]
            pending += _references(schemas[name])
    return dict(sorted(used.items()))


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        reference = node.get("$ref")
        own = [reference.rsplit("/", 1)[1]] if isinstance(reference, str) and "/schemas/" in reference else []
        return own + [name for value in node.values() for name in _references(value)]
    return [name for value in node for name in _references(value)] if isinstance(node, list) else []
