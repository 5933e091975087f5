"""When passages are heard, as storage knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.contracts.antiphon.storage.v1.rpc_pb2 import SpokenText, TimesReply, TimesRequest
from libs.messaging import Bus, Unavailable, rpc

PATIENCE_SECONDS = 0.5
"""How long a search waits for the times: a hit without them is worth more than one that comes late."""


@dataclass(frozen=True, slots=True)
class Said:
    """Places in the text of a generation, as (start, end) in code points; its audio is known as `audio_id`."""

    audio_id: str
    places: Sequence[tuple[int, int]]


class SpokenTimes:
    """Asks storage when places of texts are heard."""

    def __init__(self, bus: Bus) -> None:
        """Asks over `bus`, which is open."""
        self._bus = bus

    async def ask(self, org_id: UUID, texts: Sequence[Said]) -> list[list[tuple[int, int]]]:
        """Return start and end of each place in milliseconds; none of a text that cannot be heard. Raises Unavailable.

        Without a connection to the broker nobody is kept waiting.
        """
        if not self._bus.is_connected:
            raise Unavailable("the broker is away")
        request = TimesRequest(
            org_id=str(org_id),
            texts=[
                SpokenText(
                    audio_id=text.audio_id,
                    starts=[start for start, _ in text.places],
                    ends=[end for _, end in text.places],
                )
                for text in texts
            ],
        )
        reply = await rpc.call(
            self._bus, "storage", "times", request, TimesReply, patience=PATIENCE_SECONDS, attempt=PATIENCE_SECONDS
        )
        return [
            [(round(1000 * start), round(1000 * end)) for start, end in zip(times.starts, times.ends, strict=True)]
            for times in reply.times
        ]
