"""What was said is found, with the moment at which it is heard."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.support.api import Api
from tests.support.polling import eventually


async def test_a_hit_in_speech_plays_from_where_it_is_said(api: Api) -> None:
    """Of generations that share their audio, too."""
    voice = (await api.voices())[0]
    mark = uuid4().hex[:8]
    text = f"Number {mark}. The old lighthouse keeper painted the door."
    spoken = [await api.speak(text, voice["id"]) for _ in range(2)]
    wanted = {generation["id"] for generation in spoken}

    async def found() -> list[dict[str, Any]]:
        query = {"query": f"lighthouse {mark}", "mode": "text", "source_types": ["generation"]}
        answer = (await api.post("/v1/search", json=query)).json
        hits = [hit for hit in answer["items"] if hit["source_id"] in wanted]
        return hits if answer["times_known"] and len(hits) == 2 and all(hit["spoken"] for hit in hits) else []

    for hit in await eventually(found, within=30, what="both generations with their times"):
        alignment = (await api.get(f"/v1/generations/{hit['source_id']}/alignment")).json
        heard = hit["spoken"]
        assert heard["start_ms"] == round(1000 * alignment["start_times"][0])
        assert heard["end_ms"] == round(1000 * alignment["end_times"][len(text) - 1])
        marked = {text[mark["start"] : mark["end"]]: mark for mark in hit["highlights"]}
        first = text.index("lighthouse")
        assert marked["lighthouse"]["start_ms"] == round(1000 * alignment["start_times"][first])
        path, _, fragment = heard["url"].partition("#")
        assert fragment == f"t={heard['start_ms'] / 1000:.3f},{heard['end_ms'] / 1000:.3f}"
        assert (await api.get(path)).status == 200
