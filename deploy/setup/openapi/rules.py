"""What every operation of the document must say, so that nobody has to guess."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.setup.openapi.sources import Json


def flaws_of(document: Json) -> list[str]:
    """Return what the operations do not say, a line each with what to do about it."""
    return [
        f"{method.upper()} {path}: {flaw}"
        for path, item in document["paths"].items()
        for method, operation in item.items()
        for flaw in (*_of_words(operation), *_of_parameters(operation), *_of_examples(operation))
    ]


def _of_words(operation: Json) -> Iterator[str]:
    if not operation.get("description", "").partition("Needs the scope")[0].strip():
        yield "has no description: write a docstring for the route's function"
    if not any(status.startswith(("1", "2", "3")) for status in operation["responses"]):
        yield "says of no answer that it is good: declare one in the route's `responses`"


def _of_parameters(operation: Json) -> Iterator[str]:
    for one in operation["parameters"]:
        if not one["description"]:
            yield f"its parameter {one['name']} is not described: give it `Query(description=...)` or such"


def _of_examples(operation: Json) -> Iterator[str]:
    for one in operation["parameters"]:
        if one["example"] is None:
            yield f"its parameter {one['name']} has no example: give it `examples=[...]`"
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        if not content.get("examples") and content.get("example") is None:
            yield f"its request as {media_type} has no example: give its model's fields `examples=[...]`"
