"""The page at /docs shows every operation, and neither loads nor links anything from elsewhere."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

from deploy.setup.openapi.__main__ import DOCUMENT
from deploy.setup.openapi.sources import Json
from services.gateway.api.documentation.page import curl_line, page_of
from services.gateway.api.documentation.routes import HERE, POLICY

DOCUMENTED: Json = json.loads(DOCUMENT.read_text(encoding="utf-8"))
LOADING = {"src", "href", "action", "data", "poster", "srcset", "formaction"}
VOID = {"meta", "link", "input"}


class Page(HTMLParser):
    """The ids, the text and the addresses of a page; fails for tags that do not fit."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(content)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            if name in LOADING and value:
                self.addresses.append(value)
            if name == "style" or name.startswith("on"):
                self.inline.append(name)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


PAGE = Page(page_of(DOCUMENTED))


def test_every_operation_and_schema_is_shown() -> None:
    operations = [(path, each) for path, item in DOCUMENTED["paths"].items() for each in item.values()]
    assert {operation["operationId"] for _path, operation in operations} <= PAGE.ids
    assert {f"schema-{name}" for name in DOCUMENTED["components"]["schemas"]} <= PAGE.ids
    assert all(path in PAGE.text and operation["summary"] in PAGE.text for path, operation in operations)


def test_nothing_is_loaded_from_elsewhere() -> None:
    assert PAGE.addresses
    assert [one for one in PAGE.addresses if not re.match(r"(/(?!/)|#)", one)] == []
    assert {one.removeprefix("#") for one in PAGE.addresses if one.startswith("#")} <= PAGE.ids
    assert PAGE.inline == []
    for name in ("docs.css", "docs.js"):
        assert not re.search(r"https?:|//[a-z]|@import|url\(|import\(|fetch\(|eval", (HERE / name).read_text()), name
    assert "'unsafe" not in POLICY
    assert "default-src 'none'" in POLICY


def test_what_the_document_says_cannot_become_markup() -> None:
    evil = json.loads(json.dumps(DOCUMENTED).replace("List voices", "<script>alert(1)</script>"))
    assert "<script>alert" not in page_of(evil)


def test_a_curl_line_sends_the_example() -> None:
    operation = DOCUMENTED["paths"]["/v1/search"]["post"]
    line = curl_line("post", "/v1/search", operation)
    assert line.startswith('curl -X POST "$ANTIPHON_URL/v1/search" -H "Authorization: Bearer $ANTIPHON_API_KEY"')
    assert '"query":"the tale of the lighthouse"' in line
