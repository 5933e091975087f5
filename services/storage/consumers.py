"""What the storage service answers: audio comes, generations and voices go."""

from __future__ import annotations

import sys

from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationErasureRequested
from libs.contracts.antiphon.generation.v1.events_pb2 import (
    AudioExpired,
    AudioRendered,
    GenerationDeleted,
    ObjectsAbandoned,
)
from libs.contracts.antiphon.storage.v1.events_pb2 import DataExported, MediaRemoved
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.messaging import Calls, Delivery, Heeds, Serves, Signals, declared, work
from libs.outbox.exporting import exports
from services.storage import usecases
from services.storage.domain.signals import REMOVED
from services.storage.usecases import Deps, exporting


async def _give_up(delivery: Delivery[AudioRendered], deps: Deps, reason: str) -> None:
    # Only the kind of error: its message may repeat what clients must not see.
    kind = reason.partition(":")[0]
    await usecases.reject_audio(deps, delivery, f"the audio could not be read back and recorded ({kind})")


@work(AudioRendered, concurrency=16, exhausted=_give_up)
async def keep_audio(delivery: Delivery[AudioRendered], deps: Deps) -> None:
    """Every generation waits for this."""
    await usecases.keep_audio(deps, delivery)


@work(GenerationDeleted, concurrency=4)
async def remove_audio(delivery: Delivery[GenerationDeleted], deps: Deps) -> None:
    """The audio goes with its generation."""
    await usecases.remove_audio(deps, delivery)


@work(AudioExpired, concurrency=2)
async def expire_audio(delivery: Delivery[AudioExpired], deps: Deps) -> None:
    """What was kept for as long as the plan says goes."""
    await usecases.expire_audio(deps, delivery)


@work(ObjectsAbandoned, concurrency=1)
async def remove_abandoned(delivery: Delivery[ObjectsAbandoned], deps: Deps) -> None:
    """What was left behind goes, unless a track has it."""
    await usecases.remove_abandoned(deps, delivery)


@work(VoiceDeleted, concurrency=4)
async def remove_voice_objects(delivery: Delivery[VoiceDeleted], deps: Deps) -> None:
    """The samples and previews go with their voice."""
    await usecases.remove_voice_objects(deps, delivery)


@work(MediaRemoved, concurrency=4)
async def remove_media(delivery: Delivery[MediaRemoved], deps: Deps) -> None:
    """The objects go with their row."""
    await usecases.remove_media_objects(deps, delivery)


FINDS_MEDIA = Serves("storage", "find_media")


@work(OrganizationErasureRequested, concurrency=1, outstanding=8, of_erased=True)
async def erase_organization(delivery: Delivery[OrganizationErasureRequested], deps: Deps) -> None:
    """An organisation goes, and all that is kept of it."""
    await usecases.erase_organization(deps, delivery)


export_data = exports("storage", DataExported, exporting.EXPORTED)
TELLS_OF_REMOVALS = Signals(REMOVED)
HEARS_OF_REMOVALS = Heeds(REMOVED)
TELLS_TIMES = Serves("storage", "times")
ASKS_FOR_AUDIO = Calls("generation", "find_audio")

CONSUMERS = declared("storage", sys.modules[__name__])
