"""What concurrent events bring is written together, and each hears what becomes of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import copy_context
from uuid import UUID

import numpy as np
import pytest

from libs.ids import new_id
from services.embedding.domain import Source, SourceType
from services.embedding.usecases import Entry, Filing


class Broken(Exception):
    """Raised for the text that cannot be written."""


class Book:
    """Writes what it is given once it is open; nothing of what holds `bad`."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.begun = asyncio.Event()
        self.written: list[list[str]] = []

    async def write(self, entries: Sequence[Entry]) -> None:
        self.begun.set()
        await self.open.wait()
        titles = [entry.source.title for entry in entries]
        if "bad" in titles:
            raise Broken
        self.written.append(titles)


def entry(title: str, source_id: str | None = None) -> Entry:
    source = Source(UUID(int=1), SourceType.CHAT, source_id or title, 1, title, title, {})
    return Entry(source, (), {1: np.zeros((0, 384), np.float32)}, "test", new_id(), copy_context())


async def test_what_comes_meanwhile_goes_together_next() -> None:
    book, filing = Book(), Filing()
    first = asyncio.create_task(filing.file(entry("first"), book.write))
    await book.begun.wait()
    others = [asyncio.create_task(filing.file(entry(title), book.write)) for title in ("second", "third")]
    await asyncio.sleep(0)
    book.open.set()
    await asyncio.gather(first, *others)
    assert book.written == [["first"], ["second", "third"]]


async def test_of_one_source_one_entry_is_written_at_a_time_and_in_order() -> None:
    book, filing = Book(), Filing()
    tasks = [asyncio.create_task(filing.file(entry(title, "same"), book.write)) for title in ("old", "new")]
    book.open.set()
    await asyncio.gather(*tasks)
    assert book.written == [["old"], ["new"]]


async def test_one_that_cannot_be_written_spoils_no_other() -> None:
    book, filing = Book(), Filing()
    tasks = [asyncio.create_task(filing.file(entry(title), book.write)) for title in ("good", "bad", "fine")]
    book.open.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results.pop(1), Broken)
    assert results == [None, None]
    assert book.written == [["good"], ["fine"]]


async def test_who_gave_up_is_not_written() -> None:
    book, filing = Book(), Filing()
    first = asyncio.create_task(filing.file(entry("first"), book.write))
    await book.begun.wait()
    second = asyncio.create_task(filing.file(entry("second"), book.write))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    book.open.set()
    await first
    third = asyncio.create_task(filing.file(entry("third"), book.write))
    await third
    assert book.written == [["first"], ["third"]]
