"""Audio that was lost is made again; nobody pays for it twice."""

from __future__ import annotations

from uuid import UUID

from libs.contracts.antiphon.storage.v1.events_pb2 import AudioLost
from libs.messaging import Delivery, Permanent, signal
from services.generation.domain import signals, speech
from services.generation.domain.errors import DictionaryNotFound
from services.generation.domain.requests import DictionaryVersion
from services.generation.store import dictionaries, holding, queue, renditions
from services.generation.usecases import planning
from services.generation.usecases.deps import Deps

AT_ONCE = 1
"""Pieces of an organisation's lost audio that are spoken at a time: nobody asked for it just now."""


async def restore_audio(deps: Deps, delivery: Delivery[AudioLost]) -> None:
    """Queue the work that makes lost audio again; nothing to do when it is another by now, or gone.

    Of a text that was spoken in pieces these are joined anew. Raises Permanent where it can be made no more.
    """
    event = delivery.event
    org_id, rendition_id = UUID(event.org_id), UUID(event.generation_id)
    async with deps.database.transaction(org_id) as session:
        rendition = await renditions.get_rendition(session, rendition_id)
        if not _has(rendition, event.object_key):
            return
        assert rendition is not None
        spec = speech.Spec.from_json(rendition.spec)
        wanted = [DictionaryVersion(UUID(one), version) for one, version in spec.dictionaries]
        try:
            rules = await dictionaries.get_rules(session, org_id, wanted)
        except DictionaryNotFound as error:
            raise Permanent("the audio was spoken with a dictionary that is not there any more") from error
    plan = None
    if rendition.chunks_total is None:
        script = speech.Script(rendition.text, spec.input_type, planning.lexicon_of(rules, spec), spec.language)
        plan = await planning.draw_up(rendition, spec, script, ())
    async with deps.database.transaction(org_id) as session:
        held = await holding.hold_renditions(session, org_id, [rendition_id], plan.keys if plan else ())
        if not _has(held.get(rendition_id), event.object_key):
            return
        await renditions.remake_rendition(session, rendition_id)
        if plan is None:
            await queue.enqueue(session, [planning.assembly(rendition, AT_ONCE)])
        else:
            await planning.begin(session, rendition, plan, AT_ONCE)
    await signal(deps.bus, signals.WORK)


def _has(rendition: renditions.Rendition | None, object_key: str) -> bool:
    return rendition is not None and rendition.status == "completed" and rendition.object_key == object_key
