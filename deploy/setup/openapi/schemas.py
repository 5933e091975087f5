"""Comparing two schemas: whether what was sent by their one side is still understood by the other."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

from deploy.setup.openapi.sources import Json

Seen = frozenset[tuple[str, str]]


class Side(Enum):
    """Who sends what a schema describes."""

    REQUEST = auto()
    """Clients: all that was taken must be taken."""
    ANSWER = auto()
    """The server: all that was there must be there."""


_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems")


def changes_of_schema(
    old: Json, new: Json, before: Json, now: Json, side: Side, seen: Seen = frozenset()
) -> Iterator[str]:
    """Yield what breaks, each beginning with where in the value it is; `before` and `now` are the documents."""
    pair = (old.get("$ref", ""), new.get("$ref", ""))
    if all(pair):
        if pair in seen:
            return
        seen = seen | {pair}
    former, latter = _resolved(old, before), _resolved(new, now)
    types = _types(former, before), _types(latter, now)
    if side is Side.ANSWER and not types[0] and _may_be_null(new):
        # What was always null said nothing; that it may say something now is one more value.
        return
    missing = types[0] - types[1] if side is Side.REQUEST else types[1] - types[0]
    if missing and "any" not in (types[1] if side is Side.REQUEST else types[0]):
        yield f" was {_listed(types[0])} and is {_listed(types[1])}"
        return
    if side is Side.REQUEST:
        yield from _narrowed(former, latter)
    yield from _of_properties(former, latter, before, now, side, seen)
    if "items" in former and "items" in latter:
        for change in changes_of_schema(former["items"], latter["items"], before, now, side, seen):
            yield f"[]{change}"


def _resolved(schema: Json, document: Json) -> Json:
    """Follow references, and take what may be null for what it is otherwise."""
    while True:
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
            continue
        choices = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
        if len(choices) != 1:
            return schema
        schema = {**{key: value for key, value in schema.items() if key != "anyOf"}, **choices[0]}


def _may_be_null(schema: Json) -> bool:
    return any(one.get("type") == "null" for one in (schema, *schema.get("anyOf", ())))


def _types(schema: Json, document: Json) -> frozenset[str]:
    """The types of all that is described, formats among them: a time is no word."""
    if "anyOf" in schema or "oneOf" in schema:
        choices = schema.get("anyOf") or schema["oneOf"]
        return frozenset().union(*(_types(_resolved(one, document), document) for one in choices))
    kind = schema.get("type")
    if kind is None:
        return frozenset(["object" if "properties" in schema else "any"])
    kinds = kind if isinstance(kind, list) else [kind]
    form = f" ({schema['format']})" if "format" in schema else ""
    return frozenset(one + form if one == "string" else one for one in kinds if one != "null")


def _narrowed(old: Json, new: Json) -> Iterator[str]:
    values, still = old.get("enum"), new.get("enum")
    if still is not None and (values is None or set(map(str, values)) - set(map(str, still))):
        yield f" takes only {still} now"
    for limit in _UPPER:
        if limit in new and new[limit] < old.get(limit, float("inf")):
            yield f" has {limit} {new[limit]} now"
    for limit in _LOWER:
        if limit in new and new[limit] > old.get(limit, float("-inf")) and not (limit not in old and new[limit] == 0):
            yield f" has {limit} {new[limit]} now"
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield f" must be like {new['pattern']} now"


def _of_properties(old: Json, new: Json, before: Json, now: Json, side: Side, seen: Seen) -> Iterator[str]:
    former, latter = old.get("properties", {}), new.get("properties", {})
    needed, still_needed = set(old.get("required", ())), set(new.get("required", ()))
    if side is Side.REQUEST:
        yield from (f".{name} is required now" for name in sorted(still_needed - needed))
    for name, schema in former.items():
        if name in latter:
            for change in changes_of_schema(schema, latter[name], before, now, side, seen):
                yield f".{name}{change}"
            if side is Side.ANSWER and name in needed - still_needed:
                yield f".{name} may be missing now"
        elif side is Side.ANSWER or new.get("additionalProperties") is False:
            yield f".{name} is gone"


def _listed(types: frozenset[str]) -> str:
    return " or ".join(sorted(types))
