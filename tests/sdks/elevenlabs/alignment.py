"""Forced alignment of recordings."""

from __future__ import annotations

import io
from functools import partial
from itertools import pairwise
from typing import Any

from tests.sdks.claiming import claims, failure_of
from tests.sdks.elevenlabs.client import ApiError, any_voice, client_of

TEXT = "The quick brown fox jumps over the lazy dog."


@claims("POST /v1/forced-alignment")
def a_recording_is_aligned_with_its_text(given: dict[str, Any]) -> None:
    client = client_of(given)
    spoken = b"".join(client.text_to_speech.convert(voice_id=any_voice(client).voice_id, text=TEXT))
    found = client.forced_alignment.create(file=io.BytesIO(spoken), text=TEXT)
    assert "".join(one.text for one in found.characters) == TEXT
    assert [one.text for one in found.words] == TEXT.rstrip(".").split()
    assert all(before.start <= after.start <= after.end for before, after in pairwise(found.words))
    assert 0 <= found.loss < 0.5
    assert 1.5 < found.words[-1].end < 8
    failure = failure_of(partial(client.forced_alignment.create, file=io.BytesIO(b"no audio"), text=TEXT), ApiError)
    assert failure.status_code == 422
