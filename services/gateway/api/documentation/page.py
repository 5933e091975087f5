"""The OpenAPI document as a page to read: operations by tag, each with its parameters, examples and a curl line."""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from services.gateway.api.documentation.schemas import schema_table, type_of

Json = dict[str, Any]  # Any: OpenAPI is as deep as it is
_CODE = re.compile(r"`([^`]+)`")
_METHODS = ("get", "post", "put", "patch", "delete", "head")
URL, KEY = "$ANTIPHON_URL", "$ANTIPHON_API_KEY"


def page_of(document: Json) -> str:
    """Return the page; all that comes from the document is escaped."""
    by_tag: dict[str, list[tuple[str, str, Json]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                by_tag[item[method]["tags"][0]].append((method, path, _whole(item[method], document)))
    info = document["info"]
    links = "".join(f'<li><a href="#tag-{_slug(tag)}">{_text(tag)}</a></li>' for tag in by_tag)
    parts = "".join(_section(tag, operations) for tag, operations in by_tag.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(info['title'])} {_text(info['version'])}</title>"
        '<link rel="stylesheet" href="/docs/docs.css"><script src="/docs/docs.js" defer></script></head>'
        f'<body><nav><h1>{_text(info["title"])}</h1><input id="filter" type="search" placeholder="Filter"'
        f' aria-label="Filter the operations"><ul>{links}<li><a href="#schemas">Schemas</a></li></ul>'
        '<p><a href="/openapi.json">openapi.json</a></p></nav>'
        f"<main>{_prose(info['description'])}{parts}{_schemas(document)}</main></body></html>\n"
    )


def _whole(operation: Json, document: Json) -> Json:
    """Return the operation with the answers in it to which it refers."""
    shared = document["components"]["responses"]
    answers = {
        status: shared[answer["$ref"].rsplit("/", 1)[1]] if "$ref" in answer else answer
        for status, answer in operation["responses"].items()
    }
    return {**operation, "responses": answers}


def _section(tag: str, operations: Iterable[tuple[str, str, Json]]) -> str:
    shown = "".join(_operation(*one) for one in operations)
    return f'<section><h2 id="tag-{_slug(tag)}">{_text(tag)}</h2>{shown}</section>'


def _operation(method: str, path: str, operation: Json) -> str:
    name = operation["operationId"]
    body = operation.get("requestBody", {}).get("content", {})
    return (
        f'<details class="operation" id="{_text(name)}"><summary><b class="{method}">{method.upper()}</b> '
        f"<code>{_text(path)}</code> <span>{_text(operation['summary'])}</span></summary>"
        f'{_prose(operation["description"])}<pre class="curl">{_text(curl_line(method, path, operation))}</pre>'
        f"{_parameters(operation.get('parameters', ()))}"
        + ("<h3>Request body</h3>" + "".join(_contents(body)) if body else "")
        + f"<h3>Answers</h3>{''.join(_answer(*one) for one in operation['responses'].items())}</details>"
    )


def curl_line(method: str, path: str, operation: Json) -> str:
    """Return a command that sends the operation's example; the address and the key are the shell's variables."""
    parameters = operation.get("parameters", ())
    for one in parameters:
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", str(one["example"]))
    needed = [f"{one['name']}={one['example']}" for one in parameters if one["in"] == "query" and one["required"]]
    query = f"?{'&'.join(needed)}" if needed else ""
    words = ["curl", {"get": "", "head": "--head"}.get(method, f"-X {method.upper()}"), f'"{URL}{path}{query}"']
    if operation.get("security"):
        words.append(f'-H "Authorization: Bearer {KEY}"')
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        words += _body(media_type, _examples(content))
        break
    return " ".join(word for word in words if word)


def _body(media_type: str, examples: list[Any]) -> Iterator[str]:
    example = examples[0] if examples else {}
    if media_type == "multipart/form-data":
        for name, value in example.items():
            is_file = isinstance(value, list)
            yield f"-F {name}=@recording.wav" if is_file else f"-F {shlex.quote(f'{name}={value}')}"
        return
    yield f"-H 'Content-Type: {media_type}'"
    yield f"-d {shlex.quote(orjson.dumps(example).decode())}"


def _parameters(parameters: Iterable[Json]) -> str:
    rows = "".join(
        f"<tr><td><code>{_text(one['name'])}</code>{'<sup>required</sup>' if one['required'] else ''}</td>"
        f"<td>{_text(one['in'])}</td><td>{type_of(one['schema'])}</td><td>{_inline(one['description'])}</td>"
        f"<td><code>{_text(one['example'])}</code></td></tr>"
        for one in parameters
    )
    head = "<tr><th>name</th><th>in</th><th>type</th><th>what</th><th>example</th></tr>"
    return f"<h3>Parameters</h3><table>{head}{rows}</table>" if rows else ""


def _answer(status: str, answer: Json) -> str:
    headers = "".join(
        f"<tr><td><code>{_text(name)}</code></td><td>{_inline(one['description'])}</td>"
        f"<td><code>{_text(one.get('example', ''))}</code></td></tr>"
        for name, one in answer.get("headers", {}).items()
    )
    shown = "".join(_contents(answer.get("content", {})))
    return (
        f'<details class="answer s{status[0]}"><summary><b>{_text(status)}</b> {_inline(answer["description"])}'
        f"</summary>{f'<table>{headers}</table>' if headers else ''}{shown}</details>"
    )


def _contents(contents: Json) -> Iterator[str]:
    for media_type, content in contents.items():
        yield f"<p><code>{_text(media_type)}</code> {type_of(content.get('schema', {}))}</p>"
        for example in _examples(content):
            if not isinstance(example, str) or media_type.startswith("text/"):
                yield f"<pre>{_text(_written(example))}</pre>"


def _examples(content: Json) -> list[Any]:
    if "example" in content:
        return [content["example"]]
    return [one["value"] for one in content.get("examples", {}).values()]


def _written(example: Any) -> str:
    return example if isinstance(example, str) else orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()


def _schemas(document: Json) -> str:
    shown = "".join(
        f'<details class="schema" id="schema-{_text(name)}"><summary><code>{_text(name)}</code></summary>'
        f"{_prose(schema.get('description', ''))}{schema_table(schema, _inline)}</details>"
        for name, schema in document["components"]["schemas"].items()
    )
    return f'<section><h2 id="schemas">Schemas</h2>{shown}</section>'


def _prose(text: str) -> str:
    return "".join(f"<p>{_inline(part)}</p>" for part in text.split("\n\n") if part)


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", _text(text))


def _text(value: object) -> str:
    return html.escape(str(value))


def _slug(tag: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", tag.lower())
