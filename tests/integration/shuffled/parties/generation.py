"""The generation service's consumers."""

from __future__ import annotations

from collections.abc import Sequence

from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ReserveReply, ReserveRequest
from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCompleted, GenerationRequested
from libs.messaging import connect
from libs.messaging.rpc import RpcServer
from libs.web.known import Known
from services.generation.adapters import Finishes, Progress, Quota, SystemVoices
from services.generation.consumers import CONSUMERS as GENERATION
from services.generation.domain.load import Limits
from services.generation.usecases import Deps as GenerationDeps
from services.generation.usecases.admission import Admission
from services.generation.usecases.models import Models
from services.generation.usecases.offering import Offers
from tests.integration.shuffled.histories import History
from tests.integration.shuffled.lives import BEGINNING, TOO_MUCH, Generation, Outcome
from tests.integration.shuffled.parties.idle import no_signal, now
from tests.integration.shuffled.stage import Emitted, Party, Stage

_STATUS = {Outcome.UNSPEAKABLE: "failed", Outcome.CANCELED: "canceled"}
"""As what requests stand that have ended by themselves; the others wait."""


async def _requests(stage: Stage, history: History) -> None:
    """What was deleted is gone; what a worker has rendered awaits its storing; the rest awaits a worker."""
    sharing = [alive for group in history.sharing if (alive := [made for made in group if not made.deleted])]
    async with stage.admin() as connection:
        await connection.executemany(
            "insert into renditions (id, org_id, text, spec, mode, status, characters_spoken, samples, object_key,"
            " duration_seconds, size_bytes) values ($1, $2, $3, '{}', 'interactive', $4, $5, $6, $7, $8, $9)",
            [_rendition(group) for group in sharing],
        )
        await connection.executemany(
            "insert into generations (id, org_id, voice_id, voice_name, text, characters, temperature, top_p, top_k,"
            " repetition_penalty, speed, format, model_id, status, rendition_id, created_at)"
            " values ($1, $2, $3, 'Aaron 1', $4, $5, 1, 1, 1, 1, 1, 'mp3_22050_64', 'espeak-ng', $6, $7, $8)",
            [
                (
                    made.id,
                    made.org_id,
                    made.voice.id,
                    made.text,
                    len(made.text),
                    _STATUS.get(made.outcome, "pending"),
                    made.audio_id,
                    BEGINNING,
                )
                for group in sharing
                for made in group
            ],
        )


def _rendition(sharing: Sequence[Generation]) -> tuple[object, ...]:
    last = sharing[-1]
    about = (last.audio_id, last.org_id, last.text)
    if not last.is_rendered:
        return (*about, _STATUS.get(last.outcome, "pending"), *[None] * 5)
    length = len(last.text)
    return (*about, "rendered", length, length, last.object_key, length / 16, len(last.audio))


async def _generation_deps(stage: Stage) -> GenerationDeps:
    analytics = await connect(stage.servers.nats("analytics"), "test analytics")
    stage.closing.push_async_callback(analytics.close)
    server = RpcServer(analytics, "analytics", "reserve", ReserveRequest, _reserve)
    await server.start()
    stage.closing.push_async_callback(server.stop)
    await analytics.client.flush()
    return GenerationDeps(
        database=stage.database,
        objects=stage.objects,
        bus=stage.bus,
        quota=Quota(stage.bus, patience_seconds=5),
        finishes=Finishes(stage.bus),
        progress=Progress(stage.bus),
        offers=Offers(stage.bus),
        admission=Admission(stage.database, Limits(60, 3600)),
        models=Models(stage.database),
        system_voices=SystemVoices(),
        known_audio=Known(no_signal),
        clock=now,
    )


async def _reserve(request: ReserveRequest) -> ReserveReply:
    granted = request.characters < TOO_MUCH
    return ReserveReply(granted=granted, limit=10_000, remaining=3, resets_at=1_800_000_000)


def _generation_meaning(history: History, emitted: Sequence[Emitted]) -> list[str]:
    """What is told depends on what was there before, as far as orders go that do not happen.

    A completed generation still names its voice if that was deleted after it; and a request that was put off is told
    of if it is admitted before its audio is there.
    """
    heard = {str(made.id) for made in history.generations if made.is_rendered}
    dead = {str(made.id) for made in history.generations if made.voice.deleted}
    return [
        one.fields("voice_id")
        if isinstance(one.event, GenerationCompleted) and one.event.generation_id in dead
        else one.fields()
        for one in emitted
        if not (isinstance(one.event, GenerationRequested) and one.event.generation_id in heard)
    ]


GENERATION_PARTY = Party(
    GENERATION,
    "generation",
    "generation",
    _requests,
    _generation_deps,
    _generation_meaning,
    # Its place in the queue, and the trace that it belongs to.
    instead={"speech_queue": "select org_id, kind, rendition_id, priority, characters, payload from speech_queue"},
)
