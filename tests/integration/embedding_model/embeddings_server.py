"""A server that speaks OpenAI's embeddings protocol, with vectors of a real model."""

from __future__ import annotations

import asyncio
import base64
import time
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import numpy as np
from aiohttp import web

from services.embedding.adapters import MiniLm, Vectors


@dataclass(frozen=True, slots=True)
class Canned:
    """An answer given in place of the vectors."""

    status: int
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)


class EmbeddingsServer:
    """Refuses what OpenAI refuses: other keys, empty texts, more than 2,048 of them."""

    def __init__(self, model: MiniLm, *, key: str) -> None:
        self._model = model
        self._key = key
        self.next_answers: deque[Canned] = deque()
        """Given before any vectors, one a request."""
        self.requests: list[dict[str, Any]] = []  # Any: JSON
        self.times: list[float] = []
        self.encoding = "list"
        """`list` or `base64`, whatever the client asks for."""
        self.hold: asyncio.Event | None = None
        """While unset, no request is answered."""
        self.most_at_once = 0
        self.window: int | None = None
        """Longer texts are refused, in characters."""
        self.shared = asyncio.Event()
        """Set when a second request arrives beside another."""
        self._at_once = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v1/embeddings", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.times.append(time.monotonic())
        body = await request.json()
        self.requests.append(body)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        if self._at_once > 1:
            self.shared.set()
        try:
            if self.hold is not None:
                await self.hold.wait()
            return await self._vectors(request, body)
        finally:
            self._at_once -= 1

    async def _vectors(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        if self.next_answers:
            canned = self.next_answers.popleft()
            return web.json_response(canned.body, status=canned.status, headers=canned.headers)
        if request.headers.get("Authorization") != f"Bearer {self._key}":
            return _error(401, "Incorrect API key provided.")
        texts = body["input"]
        if not 0 < len(texts) <= 2_048 or "" in texts:
            return _error(400, "'$.input' is invalid.")
        if self.window is not None and max(map(len, texts)) > self.window:
            return _error(400, "This model's maximum context length is exceeded.")
        vectors = await self._model.embed(texts)
        # Not in order and not of length 1: the protocol promises neither.
        data = [self._item(index, 3 * row) for index, row in reversed(list(enumerate(vectors)))]
        return web.json_response({"object": "list", "data": data, "model": body["model"], "usage": {}})

    def _item(self, index: int, row: Vectors) -> dict[str, object]:
        packed = base64.b64encode(np.asarray(row, "<f4").tobytes()).decode()
        embedding = packed if self.encoding == "base64" else row.tolist()
        return {"object": "embedding", "index": index, "embedding": embedding}


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "invalid_request_error"}}, status=status)
