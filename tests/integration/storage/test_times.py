"""When places of texts are heard, as other services are told."""

from __future__ import annotations

import pytest

from libs.contracts.antiphon.storage.v1.rpc_pb2 import SpokenText, TimesRequest
from libs.ids import new_id
from services.storage.usecases import Deps
from services.storage.usecases.timing import tell_times
from tests.integration.storage.conftest import Studio
from tests.integration.storage.test_alignments import TIMES, keep


@pytest.mark.parametrize("is_long", [False, True], ids=["in a row", "in an object"])
async def test_places_are_told_from_the_first_character_to_the_last(deps: Deps, studio: Studio, is_long: bool) -> None:
    event = await keep(deps, studio, is_long=is_long)
    other = await keep(deps, studio)
    places = SpokenText(audio_id=event.generation_id, starts=[0, 3], ends=[7, 6])
    reply = await tell_times(
        deps,
        TimesRequest(
            org_id=event.org_id, texts=[places, SpokenText(audio_id=other.generation_id, starts=[8], ends=[11])]
        ),
    )
    first, second = reply.times
    assert list(first.starts) == pytest.approx([TIMES[0], TIMES[3]])
    assert list(first.ends) == pytest.approx([0.7, 0.6])
    assert list(second.starts) == pytest.approx([TIMES[8]])


async def test_what_cannot_be_heard_has_no_times(deps: Deps, studio: Studio) -> None:
    """Another organisation's audio, none, and places that the text does not have."""
    event = await keep(deps, studio)
    known = event.generation_id
    for org_id, audio_id, start, end in (
        (new_id(), known, 0, 2),
        (event.org_id, str(new_id()), 0, 2),
        (event.org_id, "nonsense", 0, 2),
        (event.org_id, known, 0, 1000),
        (event.org_id, known, -1, 2),
        (event.org_id, known, 2, 2),
        (event.org_id, known, 0, 2**40),
        ("nonsense", known, 0, 2),
    ):
        asked = SpokenText(audio_id=audio_id, starts=[start], ends=[end])
        reply = await tell_times(deps, TimesRequest(org_id=str(org_id), texts=[asked]))
        (times,) = reply.times
        assert not times.starts
