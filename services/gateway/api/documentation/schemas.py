"""Schemas as the page shows them: a type in a few words, and a table of an object's properties."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import orjson

Json = dict[str, Any]  # Any: JSON Schema is as deep as it is
_LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "as {}",
}


def type_of(schema: Json) -> str:
    """Return what a value is, and within which limits, as HTML."""
    if "$ref" in schema:
        name = html.escape(schema["$ref"].rsplit("/", 1)[1])
        return f'<a href="#schema-{name}">{name}</a>'
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return " or ".join(type_of(one) for one in choices)
    if "allOf" in schema:
        return " and ".join(type_of(one) for one in schema["allOf"])
    if "const" in schema:
        return f"<code>{_literal(schema['const'])}</code>"
    if "enum" in schema:
        return " ".join(f"<code>{_literal(one)}</code>" for one in schema["enum"])
    return _plain(schema)


def _plain(schema: Json) -> str:
    kind = schema.get("type", "anything")
    words = [html.escape(" or ".join(kind) if isinstance(kind, list) else str(kind))]
    if kind == "array":
        words.append(f"of {type_of(schema.get('items', {}))}")
    if "format" in schema:
        words.append(f"({html.escape(schema['format'])})")
    limits = [text.format(html.escape(str(schema[name]))) for name, text in _LIMITS.items() if name in schema]
    if "default" in schema and schema["default"] is not None:
        limits.append(f"default <code>{_literal(schema['default'])}</code>")
    return " ".join(words) + (f"<small> {', '.join(limits)}</small>" if limits else "")


def schema_table(schema: Json, inline: Callable[[str], str]) -> str:
    """Return an object's properties as a table, anything else as its type; `inline` shows a description."""
    properties = schema.get("properties")
    if not properties:
        return f"<p>{type_of(schema)}</p>"
    required = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{html.escape(name)}</code>{'<sup>required</sup>' if name in required else ''}</td>"
        f"<td>{type_of(one)}{_nested(one, inline)}</td><td>{inline(one.get('description', ''))}</td></tr>"
        for name, one in properties.items()
    )
    return f"<table><tr><th>name</th><th>type</th><th>what</th></tr>{rows}</table>"


def _nested(schema: Json, inline: Callable[[str], str]) -> str:
    inner = schema.get("items", schema)
    return schema_table(inner, inline) if inner.get("properties") else ""


def _literal(value: object) -> str:
    return html.escape(orjson.dumps(value).decode())
