from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartParser

from deploy.cli.voices import form, how


def test_the_form_is_one_that_the_service_reads() -> None:
    body, content_type = form([('we"ird\r\n.wav', b"\r\n--not a boundary"), ("ä.mp3", b"")], {"name": "Zoë\r\nx"})

    async def read() -> list[tuple[str, Any]]:
        async def stream() -> AsyncIterator[bytes]:
            yield body

        parsed = await MultiPartParser(Headers({"content-type": content_type}), stream()).parse()  # type: ignore[arg-type]  # any iterator will do
        found = [
            (name, value if isinstance(value, str) else await value.read()) for name, value in parsed.multi_items()
        ]
        await parsed.close()
        return found

    assert asyncio.run(read()) == [("name", "Zoë\r\nx"), ("file", b"\r\n--not a boundary"), ("file", b"")]


FIT = {"pitch_error_semitones": 3.04, "spectral_distance_db": 8.0}


@pytest.mark.parametrize(
    ("voice", "words"),
    [
        ({"status": "ready", "matching": None}, ""),
        (
            {
                "status": "ready",
                "matching": {
                    "method": "timbre-matched",
                    "before": FIT,
                    "after": FIT | {"pitch_error_semitones": 0.2, "spectral_distance_db": 2.5},
                },
            },
            "matched, not cloned: pitch off by 3.0 → 0.2 semitones, spectrum by 8.0 → 2.5 dB",
        ),
        ({"status": "ready", "matching": {"method": "plain", "reason": "no voice"}}, "spoken plainly: no voice"),
        ({"status": "processing", "reasons": []}, "processing"),
        (
            {"status": "rejected", "reasons": [{"message": "4.2 s of speech"}, {"message": "noise"}]},
            "4.2 s of speech; noise",
        ),
    ],
    ids=["system", "matched", "plain", "processing", "rejected"],
)
def test_how_a_voice_sounds_is_told_honestly(voice: dict[str, Any], words: str) -> None:
    assert how(voice) == words
