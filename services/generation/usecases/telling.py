"""What other services ask of generations."""

from __future__ import annotations

from libs.contracts.antiphon.generation.v1.rpc_pb2 import FindAudioReply, FindAudioRequest
from libs.ids import parse_id
from services.generation.store import generations
from services.generation.usecases.deps import Deps


async def find_audio(deps: Deps, request: FindAudioRequest) -> FindAudioReply:
    """Answer which audio a generation has, which others may have, too."""
    org_id, generation_id = parse_id(request.org_id), parse_id(request.generation_id)
    if org_id is None or generation_id is None:
        return FindAudioReply()
    async with deps.database.transaction(org_id) as session:
        generation = await generations.get_generation(session, org_id, generation_id)
    rendition_id = generation.rendition_id if generation is not None else None
    return FindAudioReply(audio_id=str(rendition_id or ""))
