"""proto/http/openapi.json describes every route of the table, truly and with examples that fit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest

from deploy.setup.openapi.__main__ import DOCUMENT, SERVED, current
from deploy.setup.openapi.document import Undescribed, make_document
from deploy.setup.openapi.rules import flaws_of
from deploy.setup.openapi.sources import Json, sources
from services.gateway.domain.routes import ROUTES

PAGE: Json = json.loads(DOCUMENT.read_text(encoding="utf-8"))
OPERATIONS = [
    pytest.param(operation, id=f"{method.upper()} {path}")
    for path, item in PAGE["paths"].items()
    for method, operation in item.items()
]


def test_it_is_what_the_routes_say() -> None:
    stale = "stale: run `.venv/bin/python -m deploy.setup.openapi generate` (make contracts) and commit the result"
    assert current() == PAGE, stale
    assert json.loads(SERVED.read_text(encoding="utf-8")) == PAGE, stale


def test_it_has_the_routes_of_the_table_and_no_others() -> None:
    described = {(method.upper(), path) for path, item in PAGE["paths"].items() for method in item}
    assert described == {(route.method, route.template) for route in ROUTES}


def test_it_is_openapi() -> None:
    assert PAGE["openapi"].startswith("3.1.")
    for schema in PAGE["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    assert flaws_of(PAGE) == []


def test_a_route_that_nobody_describes_is_named() -> None:
    further = replace(ROUTES[0], template="/v1/nowhere")
    with pytest.raises(Undescribed, match="GET /v1/nowhere is in the route table, but"):
        make_document([*ROUTES, further], sources())


def test_a_route_that_the_table_does_not_have_is_named() -> None:
    fewer = [route for route in ROUTES if route.template != "/v1/search"]
    with pytest.raises(Undescribed, match=r"POST /v1/search of embedding is not in services/gateway/domain/routes\.py"):
        make_document(fewer, sources())


def test_what_is_not_said_is_named() -> None:
    silent = json.loads(json.dumps(PAGE))
    search = silent["paths"]["/v1/search"]["post"]
    search["description"] = "Needs the scope `search:read`."
    del search["requestBody"]["content"]["application/json"]["example"]
    silent["paths"]["/v1/usage"]["get"]["parameters"][0] |= {"description": "", "example": None}
    flaws = flaws_of(silent)
    assert len(flaws) == 4
    assert "write a docstring" in flaws[0]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_examples_fit_their_schemas(operation: Json) -> None:
    for what, schema, example in _examples(operation):
        validator = jsonschema_rs.validator_for({**schema, **_schemas()}, validate_formats=True)
        errors = [f"{what}: {error.message}" for error in validator.iter_errors(example)]
        assert not errors, f"{errors}; give the field `examples=[...]`"


def _schemas() -> Json:
    return {"components": PAGE["components"]}


def _examples(operation: Json) -> Iterator[tuple[str, Json, Any]]:  # Any: whatever the example is
    for one in operation["parameters"]:
        yield one["name"], one["schema"], one["example"]
    contents = [("request", operation.get("requestBody", {}).get("content", {}))]
    for status, answer in operation["responses"].items():
        named = answer["$ref"].rsplit("/", 1)[1] if "$ref" in answer else ""
        contents.append((status, (PAGE["components"]["responses"][named] if named else answer).get("content", {})))
    for what, content in contents:
        for media_type, one in content.items():
            examples = [one["example"]] if "example" in one else [each["value"] for each in one["examples"].values()]
            assert examples, (what, media_type)
            yield from ((f"{what} {media_type}", one["schema"], example) for example in examples)
