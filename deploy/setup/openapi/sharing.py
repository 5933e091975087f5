"""Saying once what many operations answer alike, so that the document stays small."""

from __future__ import annotations

import json
from collections import Counter

from deploy.setup.openapi.sources import Json
from libs.web.phrases import phrase_of


def shared_responses(paths: Json) -> Json:
    """Replace the answers in `paths` that occur more than once by references; return them by name."""
    places = [
        (operation["responses"], status)
        for item in paths.values()
        for operation in item.values()
        for status in operation["responses"]
    ]
    keys = [_key(responses[status]) for responses, status in places]
    often = Counter(keys)
    names: dict[str, str] = {}
    shared: Json = {}
    for (responses, status), key in zip(places, keys, strict=True):
        if often[key] == 1:
            continue
        if key not in names:
            names[key] = _name(responses[status], status, shared)
            shared[names[key]] = responses[status]
        responses[status] = {"$ref": f"#/components/responses/{names[key]}"}
    return dict(sorted(shared.items()))


def _key(answer: Json) -> str:
    return json.dumps(answer, sort_keys=True)


def _name(answer: Json, status: str, taken: Json) -> str:
    codes = [code for content in answer.get("content", {}).values() for code in content.get("examples", {})]
    plain = phrase_of(int(status)).title().replace(" ", "").replace("-", "")
    name = f"{plain}.{codes[0]}" if codes else plain
    return next(one for one in (name, *(f"{name}.{number}" for number in range(2, 10_000))) if one not in taken)
