"""When places of texts are heard, for services that show them."""

from __future__ import annotations

from uuid import UUID

from libs.contracts.antiphon.storage.v1.rpc_pb2 import SpokenTimes, TimesReply, TimesRequest
from libs.ids import parse_id
from libs.objectstore import ObjectMissing
from services.storage.domain.audio import AudioRefused
from services.storage.store.times import Place, list_times
from services.storage.usecases.deps import Deps
from services.storage.usecases.finding import read_alignment

LONG_TEXTS_MOST = 5
"""Alignments that are read from the object store for one request: of these texts each has megabytes."""
_INT_MAX = 2**31 - 1


async def tell_times(deps: Deps, request: TimesRequest) -> TimesReply:
    """Return when each place is heard; nothing for a text whose audio or whose places there are not.

    Raises ObjectStoreUnavailable.
    """
    org_id = parse_id(request.org_id)
    reply = TimesReply(times=[SpokenTimes() for _ in request.texts])
    if org_id is None:
        return reply
    places: list[Place] = []
    of_text: list[tuple[int, list[Place]]] = []
    for number, text in enumerate(request.texts):
        audio_id = parse_id(text.audio_id)
        spans = list(zip(text.starts, text.ends, strict=False))
        if audio_id is None or not all(0 <= first < last <= _INT_MAX for first, last in spans):
            continue
        own = [Place(audio_id, len(places) + at, first, last) for at, (first, last) in enumerate(spans)]
        places += own
        of_text.append((number, own))
    async with deps.database.transaction(org_id) as session:
        times, keys = await list_times(session, org_id, places)
    for audio_id in list(keys)[:LONG_TEXTS_MOST]:
        times |= await _times_of_long(deps, keys[audio_id], [one for one in places if one.audio_id == audio_id])
    for number, own in of_text:
        found = [times.get((place.audio_id, place.number)) for place in own]
        known = [one for one in found if one is not None]
        if len(known) == len(own):
            reply.times[number].starts.extend(start for start, _ in known)
            reply.times[number].ends.extend(end for _, end in known)
    return reply


async def _times_of_long(deps: Deps, key: str, places: list[Place]) -> dict[tuple[UUID, int], tuple[float, float]]:
    try:
        sent = (await read_alignment(deps, key)).sent
    except (ObjectMissing, AudioRefused):
        return {}  # the audio is being deleted
    return {
        (place.audio_id, place.number): (sent.start_times[place.first], sent.end_times[place.last - 1])
        for place in places
        if place.last <= len(sent.end_times)
    }
