"""Following a generation while it is spoken: its pieces in their order, each as soon as it is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.objectstore import ObjectMissing, ObjectStoreUnavailable
from libs.speech.encoding import Joiner, OutputFormat, parse_output_format
from libs.speech.kept import KeptChunk, placed, unpack, unpack_times
from libs.speech.text.reading import source_times
from libs.web import Caller
from services.generation.adapters import Following
from services.generation.domain import errors, requests
from services.generation.domain.pieces import PieceDamaged, whole_piece
from services.generation.store import chunks, generations, renditions
from services.generation.usecases.deps import Deps

LOOK_SECONDS = 0.5
"""How long a lost notice can hold a stream up."""
PAGE = 16


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of a stream, and what is heard in them: characters of the text from `first` on, with times in seconds."""

    audio: bytes
    text: str = ""
    starts: Sequence[float] = ()
    ends: Sequence[float] = ()


class StreamBroken(Exception):
    """The audio that was begun will not be finished; the message says why."""


async def follow(deps: Deps, caller: Caller, generation: requests.Generation) -> AsyncIterator[Part]:
    """Yield a generation's audio as a stream that no header knows the length of.

    What is taken slowly waits where it is kept, not in memory. Raises StreamBroken when there will be no more, and
    GenerationFailedError when there was nothing at all.
    """
    form = parse_output_format(generation.format)
    assert generation.rendition_id is not None
    with deps.progress.following(generation.rendition_id) as following:
        rendition, page = await _once(deps, caller, generation, following)
        if rendition.chunks_total is None:
            async for part in _whole(deps, caller, rendition):
                yield part
            return
        async for part in _chunks(deps, caller, generation, rendition, form, following, page):
            yield part


async def _once(
    deps: Deps, caller: Caller, generation: requests.Generation, following: Following
) -> tuple[renditions.Rendition, list[chunks.Chunk]]:
    """Wait until there is something of a rendition, so that what fails before is answered as a failure.

    Return it with its first pieces.
    """
    while True:
        async with deps.database.transaction(caller.org_id) as session:
            rendition = await _found(session, caller, generation)
            page = []
            if rendition.chunks_total is not None:
                page = await chunks.list_chunks(session, rendition.id, limit=PAGE)
        if rendition.chunks_done or rendition.object_key is not None:
            return rendition, page
        if following.first is None:
            await _news(following.news)
        if following.first is not None and page:
            return rendition, page


async def _found(session: AsyncSession, caller: Caller, generation: requests.Generation) -> renditions.Rendition:
    """Return the rendition unless it ended without audio."""
    assert generation.rendition_id is not None
    rendition = await renditions.get_rendition(session, generation.rendition_id)
    if rendition is not None and rendition.status in ("pending", "rendered", "completed"):
        return rendition
    now = await generations.get_generation(session, caller.org_id, generation.id)
    if now is None:
        raise errors.GenerationNotFound
    raise errors.GenerationFailedError(now.error_code or now.status, now.error or f"The generation is {now.status}.")


async def _news(news: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await news.wait()
    except TimeoutError:
        return
    finally:
        news.clear()


async def _whole(deps: Deps, caller: Caller, rendition: renditions.Rendition) -> AsyncIterator[Part]:
    """Yield audio that was made in one piece; with its first bytes comes when all of its characters are heard."""
    assert rendition.object_key is not None
    async with deps.database.transaction(caller.org_id) as session:
        times = await renditions.get_times(session, rendition.id)
    starts, ends = unpack_times(times) if times else ((), ())
    text = rendition.text if times else ""
    async with deps.objects.open(rendition.object_key, {}) as reader:
        async for content in reader.chunks:
            yield Part(content, text, starts, ends)
            text, starts, ends = "", (), ()


async def _chunks(
    deps: Deps,
    caller: Caller,
    generation: requests.Generation,
    rendition: renditions.Rendition,
    form: OutputFormat,
    following: Following,
    page: Sequence[chunks.Chunk],
) -> AsyncIterator[Part]:
    joiner = Joiner(form, None)
    yield Part(joiner.head())
    idx, samples = 0, 0
    while True:
        ready = list(takewhile(lambda chunk: _is_ready(chunk, following), page))
        for chunk in ready:
            kept = await _kept(deps, chunk, following)
            origins: Sequence[int] = range(chunk.characters) if chunk.origins is None else chunk.origins
            starts, ends = source_times(chunk.characters, origins, kept.starts, kept.ends)
            where = samples, kept.samples, form.sample_rate
            samples += kept.samples
            yield Part(
                audio=await asyncio.to_thread(joiner.add, kept.segment),
                text=generation.text[chunk.first_character : chunk.first_character + chunk.characters],
                starts=placed(starts, *where),
                ends=placed(ends, *where),
            )
            idx = chunk.idx + 1
        if idx >= (rendition.chunks_total or 0):
            break
        page = await _next(deps, caller, generation, rendition.id, idx, following)
    yield Part(joiner.finish())


def _is_ready(chunk: chunks.Chunk, following: Following) -> bool:
    return chunk.object_key is not None or (chunk.idx == 0 and following.first is not None)


async def _kept(deps: Deps, chunk: chunks.Chunk, following: Following) -> KeptChunk:
    """Return a piece; raises StreamBroken when it is gone, as with a generation that is deleted while it is heard."""
    if chunk.idx == 0 and following.first is not None:
        first, following.first = following.first, None
        return unpack(first)
    assert chunk.object_key is not None
    try:
        content = await deps.objects.get(chunk.object_key)
        return whole_piece(content, sha256=chunk.sha256, samples=chunk.samples)
    except (ObjectMissing, PieceDamaged, ObjectStoreUnavailable) as error:
        raise StreamBroken("a piece of the audio cannot be read") from error


async def _next(
    deps: Deps, caller: Caller, generation: requests.Generation, rendition_id: UUID, since: int, following: Following
) -> list[chunks.Chunk]:
    """Return the pieces from number `since` on, once that one is there; raises StreamBroken when it never will be."""
    while True:
        async with deps.database.transaction(caller.org_id) as session:
            page = await chunks.list_chunks(session, rendition_id, since=since, limit=PAGE)
        if page and _is_ready(page[0], following):
            return page
        try:
            async with deps.database.transaction(caller.org_id) as session:
                await _found(session, caller, generation)
        except (errors.GenerationFailedError, errors.GenerationNotFound) as error:
            raise StreamBroken(str(error)) from error
        await _news(following.news)
