"""The main job as a client does it, step by step, on whatever gateway it is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import uuid4

import aiohttp
from yarl import URL

from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.uploads import uploaded

TEXT = "The ferryman's daughter knew each stone of the river by its name."


@dataclass
class MainJob:
    """Its steps in their order; each returns what is worth saying about it."""

    api: Api
    voice_id: str = ""
    generation: dict[str, Any] | None = None

    def steps(self) -> list[tuple[str, Callable[[], Awaitable[str]]]]:
        return [
            ("list the voices", self.list_voices),
            ("speak a sentence", self.speak),
            ("hear it", self.hear),
            ("read its alignment", self.read_alignment),
            ("see it in the usage", self.see_usage),
            ("find it by meaning", self.find),
            ("send a file, and fetch it", self.send_file),
            ("delete a voice of our own", self.delete_voice),
            ("be refused without a key", self.be_refused),
        ]

    async def list_voices(self) -> str:
        voices = await self.api.voices()
        assert len(voices) >= 20, f"only {len(voices)} voices"
        self.voice_id = voices[0]["id"]
        return f"{len(voices)} system voices"

    async def speak(self) -> str:
        self.generation = await self.api.speak(TEXT, self.voice_id)
        assert self.generation["status"] == "completed", self.generation
        return f"{self.generation['duration_seconds']:.2f} s of speech by {self.generation['voice_name']}"

    async def hear(self) -> str:
        audio = await self.api.get(self._spoken["audio_url"])
        assert audio.status == 200, audio.content
        assert audio.headers["Content-Type"] == "audio/mpeg"
        # An ID3 tag, or the eleven bits that begin an mp3 frame.
        content = audio.content
        assert content[:3] == b"ID3" or (content[0] == 0xFF and content[1] & 0xE0 == 0xE0), content[:4]
        return f"{len(content):,} bytes of mp3"

    async def read_alignment(self) -> str:
        answer = await self.api.get(self._spoken["alignment_url"])
        assert answer.status == 200, answer.content
        alignment = answer.json
        assert "".join(alignment["characters"]) == TEXT
        starts, ends = alignment["start_times"], alignment["end_times"]
        assert len(starts) == len(ends) == len(TEXT)
        assert all(before <= after for before, after in pairwise(starts))
        assert ends[-1] <= self._spoken["duration_seconds"] + 1e-6
        return f"{len(starts)} characters, the last ends at {ends[-1]:.2f} s"

    async def see_usage(self) -> str:
        async def counted() -> bool:
            return bool((await self.api.get("/v1/usage")).json["totals"]["generations"])

        await eventually(counted, within=30, what="the usage")
        totals = (await self.api.get("/v1/usage")).json["totals"]
        assert (totals["generations"], totals["characters"]) == (1, len(TEXT)), totals
        return f"1 generation, {totals['characters']} characters, {totals['audio_seconds']} s"

    async def find(self) -> str:
        async def hits() -> list[str]:
            query = {"query": "a girl who learned the names of rocks in the water", "source_types": ["generation"]}
            answer = await self.api.post("/v1/search", json=query)
            assert answer.status == 200, answer.content
            return [item["source_id"] for item in answer.json["items"]]

        found = await eventually(hits, within=30, what="the search result")
        assert found == [self._spoken["id"]], found
        return "exactly once"

    async def send_file(self) -> str:
        content = b"Doors open at seven.\n"
        media = await uploaded(self.api, content, purpose="document", filename="doors.txt", content_type="text/plain")
        signed = (await self.api.get(f"/v1/media/{media['id']}/url")).json["url"]
        async with aiohttp.ClientSession() as outside, outside.get(URL(signed, encoded=True)) as response:
            assert (response.status, await response.read()) == (200, content)
        return f"{media['size_bytes']} bytes of {media['content_type']}, by signed URLs"

    async def delete_voice(self) -> str:
        created = await self.api.upload_voice(f"Marta {uuid4().hex[:8]}")
        assert created.status == 201, created.content
        voice = created.json
        # It is ready at its own service; the one that speaks hears of that by an event.
        asked = {"text": "My voice will go, and these words will stay.", "voice_id": voice["id"]}

        async def accepted() -> dict[str, Any] | None:
            answer = await self.api.post("/v1/generations", json=asked)
            assert answer.status in (202, 422), (answer.status, answer.content)
            return dict(answer.json) if answer.status == 202 else None

        made = await eventually(accepted, within=30, what="a voice that can be spoken with")
        assert made is not None
        generation = await self.api.until_completed(made["id"], within=60)
        deleted = await self.api.delete(f"/v1/voices/{voice['id']}")
        assert deleted.status == 204, deleted.content

        async def forgotten() -> bool:
            return (await self.api.get(f"/v1/generations/{generation['id']}")).json["voice_id"] is None

        await eventually(forgotten, within=30, what="voice_id null")
        kept = (await self.api.get(f"/v1/generations/{generation['id']}")).json
        assert (kept["voice_name"], kept["text"]) == (voice["name"], generation["text"])
        assert (await self.api.get(kept["audio_url"])).status == 200
        assert (await self.api.get(f"/v1/voices/{voice['id']}/audio")).status == 404
        return "its generation keeps text, audio and the voice's name"

    async def be_refused(self) -> str:
        async with Api(self.api.url, None) as stranger:
            refused = await stranger.get("/v1/voices")
        assert (refused.status, refused.json["code"]) == (401, "unauthenticated"), refused.content
        return "401 unauthenticated"

    @property
    def _spoken(self) -> dict[str, Any]:
        assert self.generation is not None, "nothing was spoken"
        return self.generation
