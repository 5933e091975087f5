"""The audio of several generations as one file, made while it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from libs.archive.zip_stream import Entry, stream_zip
from libs.speech.encoding import parse_output_format
from libs.web import Caller
from services.generation.domain import errors, requests
from services.generation.store import listing, renditions
from services.generation.usecases.deps import Deps


async def archive(deps: Deps, caller: Caller, ids: Sequence[UUID]) -> AsyncIterator[bytes]:
    """Return the bytes of a ZIP of these generations' audio, in their order.

    Raises GenerationNotFound if one is not there, WrongState if one is not completed, AudioExpired if its audio has
    expired; nothing is sent then.
    """
    which = listing.GenerationFilter(ids=ids)
    async with deps.database.transaction(caller.org_id) as session:
        found = await listing.list_generations(session, caller.org_id, which, after=None, limit=len(ids))
        made = await renditions.list_audio(session, [one.rendition_id for one in found if one.rendition_id])
    known = {generation.id: generation for generation in found}
    entries = []
    for generation_id in ids:
        generation = known.get(generation_id)
        if generation is None:
            raise errors.GenerationNotFound
        if generation.status == "completed" and generation.rendition_id is None:
            raise errors.AudioExpired
        if generation.status != "completed" or generation.rendition_id not in made:
            raise errors.WrongState(f"{generation_id} is {generation.status}; only completed ones can be downloaded")
        entries.append((generation, *made[generation.rendition_id]))
    return stream_zip(_entries(deps, entries))


async def _entries(deps: Deps, wanted: Sequence[tuple[requests.Generation, str, int]]) -> AsyncIterator[Entry]:
    for generation, object_key, size in wanted:
        extension = parse_output_format(generation.format).extension
        name = f"{generation.created_at:%Y%m%d-%H%M%S}-{generation.id}.{extension}"
        async with deps.objects.open(object_key, {}) as reader:
            yield Entry(name=name, modified=generation.created_at, size=size, chunks=reader.chunks)
