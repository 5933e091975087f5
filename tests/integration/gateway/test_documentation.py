"""The document and its page, as everybody gets them."""

from __future__ import annotations

import json

import aiohttp

from deploy.setup.openapi.__main__ import DOCUMENT


async def test_the_document_is_sent_once(gateway: str) -> None:
    async with aiohttp.ClientSession(gateway) as anybody:
        async with anybody.get("/openapi.json") as answer:
            assert (answer.status, answer.content_type) == (200, "application/json")
            assert await answer.json() == json.loads(DOCUMENT.read_text())
            etag = answer.headers["ETag"]
        async with anybody.get("/openapi.json", headers={"If-None-Match": f'"other", W/{etag}'}) as again:
            assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", etag)


async def test_the_page_may_load_only_what_is_its_own(gateway: str) -> None:
    async with aiohttp.ClientSession(gateway) as anybody:
        async with anybody.get("/docs") as page:
            assert (page.status, page.content_type) == (200, "text/html")
            assert "default-src 'none'" in page.headers["Content-Security-Policy"]
            text = await page.text()
        for name, content_type in (("docs.css", "text/css"), ("docs.js", "text/javascript")):
            assert f"/docs/{name}" in text
            async with anybody.get(f"/docs/{name}") as part:
                assert (part.status, part.content_type) == (200, content_type)
