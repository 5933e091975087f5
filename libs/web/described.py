"""What the OpenAPI document says of a route beyond what its types say: its problems, its headers, its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
from fastapi import Path

from libs.web.phrases import phrase_of
from libs.web.problems import MEDIA_TYPE, Problem

Responses = dict[int | str, dict[str, Any]]  # Any: OpenAPI, as FastAPI takes it
"""A route's `responses`, by status."""

EXAMPLE_REQUEST_ID = "01990a6e-7b1c-7d5e-9f0a-3c5b8e2d4f61"
PROBLEM_SCHEMA = {"$ref": "#/components/schemas/Problem"}

PathId = Annotated[str, Path(json_schema_extra={"format": "uuid"})]
"""A route's parameter: an id in its path. What is no id is unknown (404) like one that nothing has."""

HANDED_OVER = "x-antiphon-handed-over"
"""In a route's `openapi_extra`: `service path` of the route that sends the bytes, and says how."""

ASKS = "x-antiphon-asks"
"""In a route's `openapi_extra`: the routes of services that it asks, whose problems it passes on."""


def told(*problems: Problem) -> Responses:
    """Return what a route answers when something is wrong, each problem in its own words as an example."""
    responses: Responses = {}
    for problem in problems:
        known = responses.setdefault(problem.status, {"content": {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}})
        examples = known["content"][MEDIA_TYPE].setdefault("examples", {})
        body = orjson.loads(problem.body(EXAMPLE_REQUEST_ID))
        examples[problem.code] = {"summary": problem.title, "value": body}
        titles = [example["summary"] for example in examples.values()]
        known["description"] = "; ".join(titles)
        if problem.headers:
            headers = {name: header(SAID.get(name.lower(), name), value) for name, value in problem.headers.items()}
            known.setdefault("headers", {}).update(headers)
    return responses


def header(description: str, example: str) -> dict[str, Any]:  # Any: OpenAPI
    """Return the description of an answer's header."""
    return {"description": description, "schema": {"type": "string"}, "example": example}


def answered(
    status: int, description: str = "", *, content: Sequence[str] = (), headers: Mapping[str, Any] | None = None
) -> Responses:
    """Return what a route answers that its types do not say: bytes of one of the `content` types, and `headers`."""
    said: dict[str, Any] = {"description": description or phrase_of(status)}
    if content:
        said["content"] = {one: {"schema": _schema(one)} for one in content}
    if headers:
        said["headers"] = dict(headers)
    return {status: said}


def handed_over(service: str, path: str) -> dict[str, Any]:  # Any: OpenAPI
    """Return the `openapi_extra` of a route whose bytes `service` sends at `path`, a template of its own."""
    return {HANDED_OVER: f"{service} {path}"}


def asks(*operations: str) -> dict[str, Any]:  # Any: OpenAPI
    """Return the `openapi_extra` of a route that asks services, each `service METHOD path`, and passes on problems."""
    return {ASKS: list(operations)}


def inlined(schema: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON Schema
    """Return a schema with its definitions where it names them: a body that a route reads by itself has no others."""
    definitions = schema.get("$defs", {})

    def expand(part: Any) -> Any:  # Any: JSON
        if isinstance(part, Mapping):
            name = str(part.get("$ref", "")).rpartition("/")[2]
            beside = {key: expand(value) for key, value in part.items() if key not in ("$ref", "$defs")}
            return {**expand(definitions[name]), **beside} if name else beside
        return [expand(one) for one in part] if isinstance(part, list) else part

    expanded: dict[str, Any] = expand(schema)
    return expanded


def _schema(content_type: str) -> dict[str, Any]:
    if content_type == "application/json":
        return {"type": "object"}
    return {"type": "string"} if content_type.startswith("text/") else {"type": "string", "format": "binary"}


SAID = {
    "retry-after": "Seconds after which it is worth asking again.",
    "www-authenticate": "How to say who asks.",
    "allow": "The methods that there are.",
    "connection": "The connection ends with this answer.",
    "content-range": "How long the file is.",
    "accept-ranges": "Parts of it can be asked for.",
    "x-should-retry": "Whether repeating the request may help.",
}
"""What the headers of problems say."""


def _condition(name: str, description: str, example: str) -> dict[str, Any]:
    schema = {"type": "string"}
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema} | {
        "example": example
    }


_ETAG = '"1f3870be274f6c49b3e31a0c6728957f"'
_DATE = "Sat, 31 Jan 2026 12:00:00 GMT"
FILE_CONDITIONS = [
    _condition("Range", "A part of the file, as `bytes=0-1023`; several parts at once are not sent.", "bytes=0-1023"),
    _condition("If-Range", "The part only of this version (an ETag or a time), else all of the file.", _ETAG),
    _condition("If-None-Match", "ETags that the client has: 304 if the file is one of them.", _ETAG),
    _condition("If-Modified-Since", "304 if the file is not newer.", _DATE),
    _condition("If-Match", "ETags: 412 unless the file is one of them.", _ETAG),
    _condition("If-Unmodified-Since", "412 if the file is newer.", _DATE),
]
"""The parameters of a route that sends a file, for its `openapi_extra` (RFC 9110, sections 13 and 14)."""
FILE_HEADERS = {
    "ETag": header("Which version of the file this is.", _ETAG),
    "Last-Modified": header("When it was made.", _DATE),
    "Cache-Control": header("Who may keep it, and for how long.", "private, max-age=3600"),
}
FILE_CONTENT_HEADERS = FILE_HEADERS | {
    "Accept-Ranges": header("Parts of it can be asked for.", "bytes"),
    "Content-Disposition": header("Under which name to save it.", 'inline; filename="speech.mp3"'),
}


def file_answers(*content: str) -> Responses:
    """Return how a file of one of the `content` types is sent: all of it, a part, or nothing because it is known."""
    part = FILE_CONTENT_HEADERS | {"Content-Range": header("Which part of how many bytes.", "bytes 0-1023/20480")}
    return {
        **answered(200, "The file", content=content, headers=FILE_CONTENT_HEADERS),
        **answered(206, "The part of the file that was asked for", content=content, headers=part),
        **answered(304, "The client has the file as it is", headers=FILE_HEADERS),
    }
