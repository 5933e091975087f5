from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.embedding.domain import EmbeddingRefused

if TYPE_CHECKING:
    from services.embedding.adapters.embedder import Embedder, Vectors

# Texts a second of 16 callers when each goes alone and when they go together, on one thread: of 25 characters 312 and
# 592, of 100 characters 171 and 241, of 500 characters 49 and 54; on two: 318 and 896, 199 and 375, 71 and 79.
SHORT_CHARACTERS: Final = 500
# About 500 tokens, a tenth of a second: what somebody who asks has to wait for others at most.
GATHERED_CHARACTERS: Final = 2_000


@dataclass(frozen=True, slots=True)
class _Call:
    texts: Sequence[str]
    characters: int
    answer: asyncio.Future[Vectors]


class Gathering:
    """Embeds the short texts of concurrent calls together.

    A call that comes alone is passed on at once; those that arrive while it is under way go together next. So nobody
    ever waits for company. Long texts gain nothing by it and are passed on as they come.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._waiting: deque[_Call] = deque()
        self._sending: asyncio.Task[None] | None = None

    @property
    def model_id(self) -> str:
        return self._embedder.model_id

    @property
    def dimensions(self) -> int:
        return self._embedder.dimensions

    async def embed(self, texts: Sequence[str]) -> Vectors:
        characters = sum(map(len, texts))
        if characters > SHORT_CHARACTERS:
            return await self._embedder.embed(texts)
        call = _Call(texts, characters, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return await call.answer

    async def close(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait({self._sending})
        for call in self._waiting:
            call.answer.cancel()
        await self._embedder.close()

    async def _send(self) -> None:
        try:
            while self._waiting:
                await self._answer(self._next())
        finally:
            self._sending = None

    def _next(self) -> list[_Call]:
        """The calls that have waited longest; who gave up meanwhile is left out."""
        calls: list[_Call] = []
        room = GATHERED_CHARACTERS
        while self._waiting and (self._waiting[0].characters <= room or not calls):
            call = self._waiting.popleft()
            if not call.answer.done():
                calls.append(call)
                room -= call.characters
        return calls

    async def _answer(self, calls: Sequence[_Call]) -> None:
        texts = [text for call in calls for text in call.texts]
        try:
            vectors = await self._embedder.embed(texts)
        except EmbeddingRefused as error:
            if len(calls) > 1:  # it may be for the text of one of them
                for call in calls:
                    await self._answer([call])
            else:
                _fail(calls, error)
        except Exception as error:  # noqa: BLE001, whoever asked has to hear of it
            _fail(calls, error)
        except asyncio.CancelledError:
            for call in calls:
                call.answer.cancel()
            raise
        else:
            first = 0
            for call in calls:
                if not call.answer.done():
                    call.answer.set_result(vectors[first : first + len(call.texts)])
                first += len(call.texts)


def _fail(calls: Sequence[_Call], error: Exception) -> None:
    for call in calls:
        if not call.answer.done():
            call.answer.set_exception(error)
