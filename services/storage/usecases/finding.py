"""Audio and its times, found for whoever asks."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Cursor
from libs.objectstore import ObjectStore
from libs.web import Caller
from services.storage.domain import audio as domain
from services.storage.store import listing, patrol, tracks
from services.storage.store.tombstones import is_deleted
from services.storage.usecases.deps import Deps

ARRIVAL_LOOKS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25)
"""After how many seconds it looks again, the last of them from then on."""
Found = TypeVar("Found")


async def find_audio(
    deps: Deps,
    caller: Caller,
    generation_id: UUID,
    find: Callable[[AsyncSession, UUID, UUID], Awaitable[Found | None]],
    *,
    made: bool,
) -> Found:
    """Return what `find` finds of a generation of the caller's organisation.

    What is `made`, as the generation service knows that it is, may still be on its way here: it is waited for, unless
    it was deleted meanwhile. Raises AudioNotFound, AudioOnItsWay, AudioLost.
    """
    deadline = asyncio.get_running_loop().time() + deps.arrival_seconds
    for number in itertools.count():
        async with deps.database.transaction(caller.org_id) as session:
            found = await find(session, caller.org_id, generation_id)
            if found is not None:
                return found
            if await patrol.is_lost(session, caller.org_id, generation_id=generation_id):
                raise domain.AudioLost
            if not made or await is_deleted(session, generation_id):
                raise domain.AudioNotFound
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            break
        await asyncio.sleep(min(left, ARRIVAL_LOOKS[min(number, len(ARRIVAL_LOOKS) - 1)]))
    raise domain.AudioOnItsWay


async def list_tracks(
    deps: Deps, caller: Caller, which: listing.TrackFilter, *, after: Cursor | None, limit: int
) -> Sequence[listing.ListedTrack]:
    """Return up to `limit` + 1 tracks of the caller's organisation, newest first.

    That of a generation is found under the id of the first who asked for the same. Raises Unavailable while nobody can
    say which that is.
    """
    found = await _listed(deps, caller, which, after=after, limit=limit)
    if found or which.generation_id is None:
        return found
    audio_id = await deps.find_audio(caller.org_id, which.generation_id)
    if audio_id is None or audio_id == which.generation_id:
        return found
    return await _listed(deps, caller, replace(which, generation_id=audio_id), after=after, limit=limit)


async def _listed(
    deps: Deps, caller: Caller, which: listing.TrackFilter, *, after: Cursor | None, limit: int
) -> Sequence[listing.ListedTrack]:
    async with deps.database.transaction(caller.org_id) as session:
        return await listing.list_tracks(session, caller.org_id, which, after=after, limit=limit)


async def find_track(deps: Deps, caller: Caller, track_id: UUID) -> listing.ListedTrack:
    """Return a track of the caller's organisation. Raises TrackNotFound, AudioLost."""
    async with deps.database.transaction(caller.org_id) as session:
        return await _found(session, caller, track_id, await listing.get_track(session, caller.org_id, track_id))


async def find_track_audio(deps: Deps, caller: Caller, track_id: UUID) -> domain.Track:
    """Return where the audio of a track lies, and what it is. Raises TrackNotFound, AudioLost."""
    async with deps.database.transaction(caller.org_id) as session:
        return await _found(session, caller, track_id, await tracks.get_track_by_id(session, caller.org_id, track_id))


async def find_track_alignment(deps: Deps, caller: Caller, track_id: UUID) -> domain.Alignment:
    """Return when each character of a track is heard.

    Raises TrackNotFound, AudioLost, ObjectMissing, ObjectStoreUnavailable.
    """
    async with deps.database.transaction(caller.org_id) as session:
        track = await _found(session, caller, track_id, await tracks.get_track_by_id(session, caller.org_id, track_id))
        found = await tracks.get_alignment(session, caller.org_id, track.generation_id)
        if found is None:
            raise domain.TrackNotFound
    return await read_alignment(deps, found) if isinstance(found, str) else found


async def _found(session: AsyncSession, caller: Caller, track_id: UUID, found: Found | None) -> Found:
    if found is not None:
        return found
    if await patrol.is_lost(session, caller.org_id, track_id=track_id):
        raise domain.AudioLost
    raise domain.TrackNotFound


async def read_alignment(deps: Deps, key: str) -> domain.Alignment:
    """As `read_object_alignment`."""
    return await read_object_alignment(deps.objects, key)


async def read_object_alignment(objects: ObjectStore, key: str) -> domain.Alignment:
    """Return the alignment that an object holds. Raises ObjectMissing, ObjectStoreUnavailable, AudioRefused."""
    content = await objects.get(key)
    try:
        return await asyncio.to_thread(_alignment, content)
    except (ValueError, KeyError, TypeError) as error:
        raise domain.AudioRefused("the alignment is not what a worker writes") from error


def _alignment(content: bytes) -> domain.Alignment:
    document = orjson.loads(content)
    normalized = document["normalized"]
    return domain.Alignment(
        sent=domain.Timeline(document["text"], document["start_times"], document["end_times"]),
        normalized=domain.Timeline(normalized["text"], normalized["start_times"], normalized["end_times"])
        if normalized
        else None,
        language=document["language"],
        is_markup=document["input_type"] == "ssml",
    )
