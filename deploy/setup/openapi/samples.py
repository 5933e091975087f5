"""Examples for schemas: those that they give themselves, and for the rest something that fits."""

from __future__ import annotations

from typing import Any

from deploy.setup.openapi.sources import Json
from libs.web.described import EXAMPLE_REQUEST_ID

FORMATS = {
    "uuid": EXAMPLE_REQUEST_ID,
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "uri": "https://example.com/",
    "email": "someone@example.com",
    "binary": "…",
}
DEEPEST = 12


def asked(schema: Json, schemas: Json) -> Any:  # Any: whatever JSON it describes
    """Return a request of `schema`: what it must have, and what it gives examples of."""
    if "$ref" in schema:
        return asked(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    properties = schema.get("properties")
    if not properties or "example" in schema or "examples" in schema:
        return sample(schema, schemas)
    needed = schema.get("required", ())
    shown = {key: one for key, one in properties.items() if key in needed or "example" in one or "examples" in one}
    return {key: sample(one, schemas, key) for key, one in shown.items()}


def sample(schema: Json, schemas: Json, name: str = "", depth: int = 0) -> Any:  # Any: as above
    """Return a value of `schema`, in which references are to `schemas`; `name` is what the value is called."""
    if "$ref" in schema:
        return sample(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas, name, depth)
    for key in ("example", "const"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    if schema.get("default") is not None:
        return schema["default"]
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return sample(_first(schema[key]), schemas, name, depth)
    if "allOf" in schema:
        return {part: value for one in schema["allOf"] for part, value in sample(one, schemas, name, depth).items()}
    return _by_type(schema, schemas, name, depth)


def _first(choices: list[Json]) -> Json:
    return next((one for one in choices if one.get("type") != "null"), choices[0])


def _by_type(schema: Json, schemas: Json, name: str, depth: int) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind == "object" or "properties" in schema:
        properties = {} if depth > DEEPEST else schema.get("properties", {})
        return {key: sample(value, schemas, key, depth + 1) for key, value in properties.items()}
    if kind == "array":
        items = schema.get("items", {})
        return [sample(items, schemas, name.rstrip("s"), depth + 1)] * max(1, schema.get("minItems", 1))
    if kind in ("integer", "number"):
        value = min(max(1, schema.get("minimum", 0), schema.get("exclusiveMinimum", 0) + 1), schema.get("maximum", 1e9))
        return int(value) if kind == "integer" else float(value)
    if kind == "boolean":
        return False
    return _text(schema, name) if kind == "string" else None


def _text(schema: Json, name: str) -> str:
    text = FORMATS.get(schema.get("format", "")) or name.replace("_", " ") or "text"
    return text[: schema.get("maxLength", len(text))].ljust(schema.get("minLength", 0), ".")
