"""What the voice service answers: recordings wait to be examined."""

from __future__ import annotations

import sys

from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationErasureRequested
from libs.contracts.antiphon.voice.v1.events_pb2 import DataExported, VoiceSubmitted
from libs.messaging import Calls, Delivery, declared, work
from libs.outbox.exporting import exports
from services.voice import usecases
from services.voice.usecases import Workshop, erasing, exporting


async def _give_up(delivery: Delivery[VoiceSubmitted], deps: Workshop, _reason: str) -> None:
    await usecases.give_up(deps, delivery)


@work(VoiceSubmitted, concurrency=2, outstanding=64, exhausted=_give_up)
async def examine_voice(delivery: Delivery[VoiceSubmitted], deps: Workshop) -> None:
    """A custom voice is ready or rejected after this. Matching takes a core for some seconds."""
    await usecases.examine_voice(deps, delivery)


@work(OrganizationErasureRequested, concurrency=1, outstanding=8, of_erased=True)
async def erase_organization(delivery: Delivery[OrganizationErasureRequested], deps: Workshop) -> None:
    """An organisation goes, and all that is kept of it."""
    await erasing.erase_organization(deps, delivery)


FINDS_UPLOADS = Calls("storage", "find_media")
export_data = exports("voice", DataExported, exporting.EXPORTED)

RESERVES = Calls("analytics", "reserve")
CONSUMERS = declared("voice", sys.modules[__name__])
