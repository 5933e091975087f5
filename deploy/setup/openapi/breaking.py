"""What of a document breaks the clients of an earlier one.

A request that was taken must still be taken, and an answer must still have what it had. What is added breaks nobody:
operations, optional parameters, properties of answers, further values of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator

from deploy.setup.openapi.schemas import Side, changes_of_schema
from deploy.setup.openapi.sources import METHODS, Json


def breaking_changes(old: Json, new: Json) -> list[str]:
    """Return what of `new` breaks clients of `old`, a line each."""
    found: list[str] = []
    for path, item in old["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            place = f"{method.upper()} {path}"
            now = new["paths"].get(path, {}).get(method)
            if now is None:
                found.append(f"{place} is gone")
            else:
                found += (f"{place}: {change}" for change in _of_operation(item[method], now, old, new))
    return found


def _of_operation(old: Json, new: Json, before: Json, now: Json) -> Iterator[str]:
    if old["operationId"] != new["operationId"]:
        yield f"it was called {old['operationId']} and is now {new['operationId']}"
    if new.get("security", []) != old.get("security", []) and new.get("security"):
        yield f"it needs {new['security']}, and needed {old.get('security') or 'no key'}"
    yield from _of_parameters(old, new, before, now)
    yield from _of_body(old.get("requestBody"), new.get("requestBody"), before, now)
    for status, answer in old["responses"].items():
        if status.startswith("2"):
            yield from _of_answer(status, answer, new["responses"].get(status), before, now)


def _of_parameters(old: Json, new: Json, before: Json, now: Json) -> Iterator[str]:
    known = {(one["in"], one["name"]): one for one in old.get("parameters", ())}
    for one in new.get("parameters", ()):
        name = f"the {one['in']} parameter {one['name']}"
        former = known.get((one["in"], one["name"]))
        if one.get("required") and not (former or {}).get("required"):
            yield f"{name} is required now"
        if former is not None:
            for change in changes_of_schema(former["schema"], one["schema"], before, now, Side.REQUEST):
                yield f"{name}{change}"


def _of_body(old: Json | None, new: Json | None, before: Json, now: Json) -> Iterator[str]:
    if old is None:
        if new is not None and new.get("required"):
            yield "a request body is required now"
        return
    if new is None:
        yield "the request body is gone"
        return
    if new.get("required") and not old.get("required"):
        yield "the request body is required now"
    yield from _of_content("the request", old["content"], new["content"], before, now, Side.REQUEST)


def _of_answer(status: str, old: Json, new: Json | None, before: Json, now: Json) -> Iterator[str]:
    if new is None:
        yield f"the answer {status} is gone"
        return
    former, latter = _resolved(old, before), _resolved(new, now)
    for name in former.get("headers", {}):
        if name not in latter.get("headers", {}):
            yield f"the answer {status} has no header {name} any more"
    contents = former.get("content", {}), latter.get("content", {})
    yield from _of_content(f"the answer {status}", *contents, before, now, Side.ANSWER)


def _of_content(what: str, old: Json, new: Json, before: Json, now: Json, side: Side) -> Iterator[str]:
    for media_type, content in old.items():
        if media_type not in new:
            yield f"{what} is no {media_type} any more"
            continue
        schemas = content.get("schema", {}), new[media_type].get("schema", {})
        for change in changes_of_schema(*schemas, before, now, side):
            yield f"{what}{change}"


def _resolved(answer: Json, document: Json) -> Json:
    if "$ref" not in answer:
        return answer
    named: Json = document["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
    return named
