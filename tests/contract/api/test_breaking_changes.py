"""What breaks clients of a released document is found, and what does not is let through."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from deploy.setup.openapi.breaking import breaking_changes
from deploy.setup.openapi.sources import Json

Change = Callable[[Json], object]

THING: Json = {
    "type": "object",
    "required": ["id", "kind"],
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "rest": {"type": "null"},
        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
    },
}
NEW: Json = {
    "type": "object",
    "required": ["kind"],
    "additionalProperties": False,
    "properties": {
        "kind": {"type": "string", "enum": ["a", "b"]},
        "size": {"type": "integer", "minimum": 0, "maximum": 10},
    },
}
OLD: Json = {
    "paths": {
        "/things": {
            "post": {
                "operationId": "make_thing",
                "security": [{"bearer": ["things:write"]}],
                "parameters": [{"name": "wait", "in": "query", "required": False, "schema": {"type": "integer"}}],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewThing"}}},
                },
                "responses": {
                    "201": {
                        "headers": {"Location": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                    },
                    "404": {},
                },
            }
        }
    },
    "components": {"schemas": {"Thing": THING, "NewThing": NEW}, "responses": {}},
}


def _post(document: Json) -> Json:
    operation: Json = document["paths"]["/things"]["post"]
    return operation


def _thing(document: Json) -> Json:
    schema: Json = document["components"]["schemas"]["Thing"]
    return schema


def _new(document: Json) -> Json:
    schema: Json = document["components"]["schemas"]["NewThing"]
    return schema


BREAKING: dict[str, Change] = {
    "POST /things is gone": lambda d: d["paths"].pop("/things"),
    "called make_thing and is now create_thing": lambda d: _post(d).update(operationId="create_thing"),
    "it needs": lambda d: _post(d).update(security=[{"bearer": ["things:admin"]}]),
    "query parameter wait is required now": lambda d: _post(d)["parameters"][0].update(required=True),
    "query parameter size is required now": lambda d: _post(d)["parameters"].append(
        {"name": "size", "in": "query", "required": True, "schema": {}}
    ),
    "parameter wait was integer and is boolean": lambda d: _post(d)["parameters"][0].update(schema={"type": "boolean"}),
    "the request body is gone": lambda d: _post(d).pop("requestBody"),
    "the request is no application/json": lambda d: _post(d)["requestBody"].update(content={"text/plain": {}}),
    "the request.size is required now": lambda d: _new(d)["required"].append("size"),
    "the request.size is gone": lambda d: _new(d)["properties"].pop("size"),
    "the request.size has maximum 5 now": lambda d: _new(d)["properties"]["size"].update(maximum=5),
    "the request.size has minimum 1 now": lambda d: _new(d)["properties"]["size"].update(minimum=1),
    "the request.kind takes only": lambda d: _new(d)["properties"]["kind"].update(enum=["a"]),
    "the request.kind must be like": lambda d: _new(d)["properties"]["kind"].update(pattern="^a$"),
    "the answer 201 is gone": lambda d: _post(d)["responses"].pop("201"),
    "the answer 201 has no header Location": lambda d: _post(d)["responses"]["201"].update(headers={}),
    "the answer 201.note is gone": lambda d: _thing(d)["properties"].pop("note"),
    "the answer 201.id was string (uuid) and is integer": lambda d: _thing(d)["properties"].update(
        id={"type": "integer"}
    ),
    "the answer 201.kind may be missing now": lambda d: _thing(d)["required"].remove("kind"),
    "the answer 201.rest was  and is string": lambda d: _thing(d)["properties"].update(rest={"type": "string"}),
    "the answer 201.parts[] was object and is string": lambda d: _thing(d)["properties"]["parts"].update(
        items={"type": "string"}
    ),
}
HARMLESS: dict[str, Change] = {
    "nothing": lambda d: d,
    "an operation": lambda d: d["paths"].update({"/more": {"get": {}}}),
    "an optional parameter": lambda d: _post(d)["parameters"].append(
        {"name": "size", "in": "query", "required": False, "schema": {}}
    ),
    "an optional property of a request": lambda d: _new(d)["properties"].update(more={"type": "string"}),
    "a property of an answer": lambda d: _thing(d)["properties"].update(more={"type": "string"}),
    "a value of an answer": lambda d: _thing(d)["properties"]["kind"]["enum"].append("c"),
    "a value of a request": lambda d: _new(d)["properties"]["kind"]["enum"].append("c"),
    "a value where there was none": lambda d: _thing(d)["properties"].update(
        rest={"anyOf": [{"type": "string"}, {"type": "null"}]}
    ),
    "a wider limit": lambda d: _new(d)["properties"]["size"].update(maximum=20),
    "a property that is always there now": lambda d: _thing(d)["required"].append("note"),
    "one that need not be sent any more": lambda d: _new(d).update(required=[]),
    "another error": lambda d: _post(d)["responses"].pop("404"),
    "an answer said elsewhere": lambda d: (
        d["components"]["responses"].update(Made=_post(d)["responses"]["201"]),
        _post(d)["responses"].update({"201": {"$ref": "#/components/responses/Made"}}),
    ),
}


@pytest.mark.parametrize("named", BREAKING)
def test_what_breaks_clients_is_named(named: str) -> None:
    found = _changes(BREAKING[named])
    assert len(found) == 1, found
    assert named in found[0]


@pytest.mark.parametrize("change", HARMLESS)
def test_what_is_added_breaks_nobody(change: str) -> None:
    assert _changes(HARMLESS[change]) == []


def _changes(change: Change) -> list[str]:
    new = copy.deepcopy(OLD)
    change(new)
    return breaking_changes(OLD, new)
