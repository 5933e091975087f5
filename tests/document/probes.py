"""Requests for things of somebody else, made of the document: every operation, with every id that one may try."""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from yarl import URL

from deploy.setup.openapi.__main__ import DOCUMENT
from services.gateway.api.events import LASTING
from tests.document.tenants import NOT_OF_TENANTS, Things
from tests.support.api import Answer, Api

Json = dict[str, Any]  # Any: OpenAPI is as deep as it is

_PARAMETER = re.compile(r"\{(\w+)\}")
_PASSING = (
    "x-request-id",
    "request-id",
    "current-concurrent-requests",
    "date",
    "ratelimit",
    "ratelimit-policy",
    "content-length",
    "traceparent",
)
_CHANGING = ("request_id", "trace_id")
REFERENCES: Mapping[str, str] = {
    "voice_id": "voice_id",
    "voice": "voice_id",
    "voice_ids": "voice_id",
    "ids": "generation_id",
    "history_item_ids": "generation_id",
    "upload_id": "media_id",
    "generation_id": "generation_id",
    "source_id": "generation_id",
    "source_ids": "generation_id",
    "dictionaries": "dictionary_id",
    "pronunciation_dictionary_locators": "dictionary_id",
}
"""Which fields of requests name things, and which kind. (What ElevenLabs' history starts after is none: an id is taken
there for the moment that it holds, and one's own list begins before it.)"""
NEEDED = {"source_id": "source_type=generation&"}
"""What else a query needs before it is looked at."""


@dataclass(frozen=True)
class Operation:
    """An operation of the document."""

    method: str
    path: str
    said: Json = field(repr=False)

    @property
    def parameters(self) -> list[str]:
        """The path's parameters that name things of tenants."""
        return [name for name in _PARAMETER.findall(self.path) if name not in NOT_OF_TENANTS]

    @property
    def body(self) -> Any:  # Any: JSON; None without one
        """The example of its request."""
        content = self.said.get("requestBody", {}).get("content", {}).get("application/json")
        return copy.deepcopy(content["example"]) if content and "example" in content else None

    @property
    def collection(self) -> str | None:
        """Path and query of what shows something without naming anything; None for other operations."""
        if self.method != "GET" or self.parameters or self.lasts or not self.needs_key:
            return None
        queries = [one for one in self.said["parameters"] if one["required"] and one["in"] == "query"]
        needed = urlencode({one["name"]: one["example"] for one in queries})
        return self.addressed(Things({}), {}) + (f"?{needed}" if needed else "")

    @property
    def needs_key(self) -> bool:
        return bool(self.said["security"])

    @property
    def lasts(self) -> bool:
        """Whether its answer ends only when the client goes away."""
        return bool(self.said.get(LASTING))

    def addressed(self, things: Things, others: Mapping[str, str]) -> str:
        """The path to one of `things`, some of whose parameters are replaced by `others`."""
        return _PARAMETER.sub(
            lambda match: others.get(match[1]) or things.ids.get(match[1]) or NOT_OF_TENANTS[match[1]], self.path
        )


@dataclass(frozen=True)
class Probe:
    """A request whose ids stand at some places: `at(things)` puts other ids there."""

    operation: Operation
    what: str
    places: Sequence[str]
    own: Things = field(repr=False)

    def request(self, things: Things) -> tuple[str, str, Json]:
        """Return method, path with query, and options of the request for `things`."""
        others = {place: things[place] for place in self.places if place in self.operation.parameters}
        path, body = self.operation.addressed(self.own, others), self.operation.body
        if isinstance(body, dict) and "voice_id" in body:
            body["voice_id"] = self.own["voice_id"]
        for place in self.places:
            if place.startswith("query "):
                name = place.removeprefix("query ")
                path += f"?{NEEDED.get(name, '')}{name}={things[REFERENCES[name]]}"
            elif place.startswith("body "):
                body = _with(body, place.removeprefix("body "), things)
        return self.operation.method, path, {"json": body} if body is not None else {}


def _with(body: Json, name: str, things: Things) -> Json:
    value = things[REFERENCES[name]]
    if name == "upload_id":
        # It stands for what else is in the body.
        return {name: value}
    lists: Mapping[str, object] = {
        "dictionaries": [{"id": value}],
        "pronunciation_dictionary_locators": [{"pronunciation_dictionary_id": value, "version_id": "1"}],
    }
    return {**body, name: lists.get(name, [value] if name.endswith("ids") else value)}


def operations() -> list[Operation]:
    """Every operation of the document."""
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return [
        Operation(method.upper(), path, said)
        for path, item in document["paths"].items()
        for method, said in item.items()
    ]


def probes_of(operation: Operation, own: Things, schemas: Json) -> Iterator[Probe]:
    """Yield one probe for each choice of places where an id can stand in a request of `operation`."""
    parameters = operation.parameters
    for count in range(1, len(parameters) + 1):
        for places in itertools.combinations(parameters, count):
            yield Probe(operation, " and ".join(places), places, own)
    for one in operation.said["parameters"]:
        if one["in"] == "query" and one["name"] in REFERENCES:
            yield Probe(operation, f"query {one['name']}", [f"query {one['name']}"], own)
    for name in _named(operation.said.get("requestBody", {}), schemas):
        yield Probe(operation, f"body {name}", [f"body {name}"], own)


def _named(request: Json, schemas: Json) -> list[str]:
    schema = request.get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    # What a document is to be called by is its owner's choice, and names nothing.
    return [name for name in schema.get("properties", {}) if name in REFERENCES and name != "source_id"]


@dataclass(frozen=True)
class Seen:
    """What an answer shows that is not of this one request: status, names and values of headers, body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str

    @classmethod
    def of(cls, answer: Answer, things: Things) -> Seen:
        """Return what `answer` shows, with the ids that were asked for taken out."""
        headers = sorted(
            (name.lower(), value) for name, value in answer.headers.items() if name.lower() not in _PASSING
        )
        body = answer.content.decode("latin-1")
        if answer.content and "json" in answer.headers.get("content-type", ""):
            body = json.dumps(_lasting(answer.json), sort_keys=True)
        for one in things.unmistakable:
            body = body.replace(one, "…")
        return cls(answer.status, tuple(headers), body)


def _lasting(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _lasting(value) for name, value in node.items() if name not in _CHANGING}
    return [_lasting(value) for value in node] if isinstance(node, list) else node


async def ask(api: Api, probe: Probe, things: Things) -> Answer:
    """Send a probe."""
    method, path, options = probe.request(things)
    return await api.ask(method, URL(path, encoded=True), **options)
