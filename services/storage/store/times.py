"""When places of texts are heard, looked up without reading whole alignments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import driver_of

_LIST = """
select asked.audio_id, tracks.alignment_key, asked.place,
    alignments.start_times[asked.first + 1] as starts, alignments.end_times[asked.last] as ends
from unnest($1::uuid[], $2::int[], $3::int[], $4::int[]) as asked (audio_id, place, first, last)
join audio_tracks tracks on tracks.generation_id = asked.audio_id and tracks.org_id = $5
left join audio_alignments alignments on alignments.track_id = tracks.id
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the text of some audio, in code points, `last` exclusive; `number` tells it from the others."""

    audio_id: UUID
    number: int
    first: int
    last: int


async def list_times(
    session: AsyncSession, org_id: UUID, places: Sequence[Place]
) -> tuple[dict[tuple[UUID, int], tuple[float, float]], dict[UUID, str]]:
    """Return start and end of those places, in seconds, by audio and number, that have an alignment with them.

    And by audio the keys of the objects that hold the alignments of long texts.
    """
    rows = await driver_of(session).fetch(
        _LIST,
        [place.audio_id for place in places],
        [place.number for place in places],
        [place.first for place in places],
        [place.last for place in places],
        org_id,
    )
    times = {
        (row["audio_id"], row["place"]): (row["starts"], row["ends"])
        for row in rows
        if row["starts"] is not None and row["ends"] is not None
    }
    return times, {row["audio_id"]: row["alignment_key"] for row in rows if row["alignment_key"] is not None}
