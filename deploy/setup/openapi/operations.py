"""One operation of the document: what its route says of itself, and what holds for every route."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

from deploy.setup.openapi.errors import is_done_once, nothing_here, of_gateway, passed_on, spoken
from deploy.setup.openapi.samples import asked, sample
from deploy.setup.openapi.sources import Json
from libs.web.described import ASKS, header
from libs.web.phrases import phrase_of
from services.gateway.domain.access import ANY_SCOPE
from services.gateway.domain.idempotency import KEY_CHARACTERS
from services.gateway.domain.routes import Route, dialect_of

PARAMETERS = {
    "limit": "How many items a page has at most.",
    "cursor": "`next_cursor` of the page before.",
    "prefer": "`wait=N` waits up to N seconds (at most 60) for the result.",
}
"""What a parameter of that name is, where its route does not say."""
REQUEST_ID = header("Under which the server logs the request.", "01990a6e-7b1c-7d5e-9f0a-3c5b8e2d4f61")
RATE_LIMIT = {
    "RateLimit": header("What is left: requests, and the seconds until there are more.", '"key";r=299;t=1'),
    "RateLimit-Policy": header("What the plan allows: requests, and in how many seconds.", '"key";q=300;w=60'),
}
IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Repeating a request with the same key gives the same answer, and does nothing twice, for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_CHARACTERS, "pattern": "^[!-~]+$"},
    "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
}
REPLAYED = header("The request was done before, and this is its answer.", "true")
TAGS = {"openai": "OpenAI", "elevenlabs": "ElevenLabs"}
_BY_FASTAPI = "Successful Response"


def finished(described: Json, route: Route, schemas: Json) -> Json:
    """Return the operation of `route` as the document has it; `described` is what the service says of it."""
    operation = copy.deepcopy(described)
    name = operation["operationId"]
    if operation.get("summary") == name.replace("_", " ").title():  # FastAPI's own way to write it
        operation["summary"] = name.replace("_", " ").capitalize()
    vendor = _vendor(route)
    if vendor != "antiphon" and not name.startswith(f"{vendor}_"):
        operation["operationId"] = f"{vendor}_{name}"
    operation["tags"] = operation.get("tags") or [_tag(route)]
    operation["security"] = _security(route)
    if route.scope is not None:
        needed = "Needs a key; any will do." if route.scope == ANY_SCOPE else f"Needs the scope `{route.scope}`."
        operation["description"] = f"{operation.get('description', '')}\n\n{needed}".strip()
    operation["parameters"] = [_parameter(one, schemas) for one in operation.get("parameters", ())]
    if is_done_once(route):
        operation["parameters"].append(IDEMPOTENCY_KEY)
    if "requestBody" in operation:
        _show(operation["requestBody"]["content"], schemas, asked)
    operation["responses"] = _responses(operation["responses"], route, operation.pop(ASKS, ()), schemas)
    return operation


def head_of(get: Json) -> Json:
    """Return the HEAD operation beside a finished GET."""
    operation = copy.deepcopy(get)
    operation["operationId"] = f"head_{get['operationId'].removeprefix('get_')}"
    operation["summary"] = f"{get['summary']}: only the headers"
    for answer in operation["responses"].values():
        answer.pop("content", None)
    return operation


def alias_of(operation: Json, route: Route) -> Json:
    """Return the operation as it is at the other path `route`, with a name of its own."""
    place = route.template.split("/")[1] + ("_slash" if route.template.endswith("/") else "")
    return {**operation, "operationId": f"{operation['operationId']}_at_{place}"}


def _vendor(route: Route) -> str:
    return route.dialect.partition("_")[0]


def _tag(route: Route) -> str:
    if _vendor(route) in TAGS:
        return TAGS[_vendor(route)]
    words = [word for word in route.template.split("/") if word and not word.startswith("{") and word != "v1"]
    return words[0].replace("-", " ").capitalize() if words and route.template.startswith("/v1/") else "Server"


def _security(route: Route) -> list[Json]:
    if route.scope is None:
        return []
    scopes = [] if route.scope == ANY_SCOPE else [str(route.scope)]
    # Either is understood everywhere; each API's clients send their own.
    return [{"xi_api_key" if _vendor(route) == "elevenlabs" else "bearer": scopes}]


def _parameter(parameter: Json, schemas: Json) -> Json:
    schema = _without_null(parameter.get("schema", {}))
    schema.pop("title", None)
    description = parameter.get("description") or schema.pop("description", None) or _said(parameter)
    schema.pop("description", None)
    example = parameter.get("example", sample(schema, schemas, parameter["name"]))
    kept = {"name": parameter["name"], "in": parameter["in"], "required": parameter.get("required", False)}
    return kept | {"description": description, "schema": schema, "example": example}


def _said(parameter: Json) -> str:
    name: str = parameter["name"]
    if parameter["in"] == "path":
        return f"The {name.removesuffix('_id').replace('_', ' ')}'s id." if name.endswith("_id") else f"The {name}."
    return PARAMETERS.get(name.lower(), "")


def _without_null(schema: Json) -> Json:
    """Nobody sends null in a header or a query: what is not given is left out."""
    schema = copy.deepcopy(schema)
    choices = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if not choices:
        return schema
    del schema["anyOf"]
    if schema.get("default", 0) is None:
        del schema["default"]
    return {**choices[0], **schema} if len(choices) == 1 else {"anyOf": choices, **schema}


def _responses(described: Json, route: Route, asked: Iterable[str], schemas: Json) -> Json:
    responses = spoken(described, route.dialect)
    if "{" in route.template:
        missing = spoken(nothing_here(), dialect_of(route.template))["404"]
        responses["404"] = both(missing, responses["404"]) if "404" in responses else missing
    for status, answer in passed_on(route).items():
        responses[status] = both(answer, responses[status]) if status in responses else answer
    for status, answer in spoken(of_gateway(route, (one.split()[0] for one in asked)), route.dialect).items():
        responses[status] = both(responses[status], answer) if status in responses else answer
    for status, answer in responses.items():
        if not answer.get("description") or answer["description"] == _BY_FASTAPI:
            answer["description"] = phrase_of(int(status))
        answer["headers"] = {**answer.get("headers", {}), **_standing(route), "X-Request-Id": REQUEST_ID}
        if is_done_once(route) and status < "400":
            answer["headers"]["Idempotency-Replayed"] = REPLAYED
        _show(answer.get("content", {}), schemas)
    return dict(sorted(responses.items()))


def _standing(route: Route) -> Json:
    return RATE_LIMIT if route.scope is not None else {}


def both(of_service: Json, of_gateway: Json) -> Json:
    """Return an answer that either may give."""
    merged = copy.deepcopy(of_service)
    merged["headers"] = {**of_gateway.get("headers", {}), **of_service.get("headers", {})}
    for media_type, content in of_gateway.get("content", {}).items():
        mine = merged.setdefault("content", {}).setdefault(media_type, content)
        mine["examples"] = {**content["examples"], **mine.get("examples", {})}
    titles = [one["summary"] for content in merged["content"].values() for one in content.get("examples", {}).values()]
    return {**merged, "description": "; ".join(dict.fromkeys(titles))}


def _show(contents: Json, schemas: Json, example: Callable[[Json, Json], object] = sample) -> None:
    for content in contents.values():
        if "example" not in content and "examples" not in content:
            content["example"] = example(content.get("schema", {}), schemas)
