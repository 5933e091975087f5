"""Generations as the history of ElevenLabs' clients."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from services.gateway.domain.elevenlabs.speech import plain_alignment
from services.gateway.domain.elevenlabs.voices import unix_seconds
from services.gateway.domain.failures import InvalidField

_CONTENT_TYPES = {
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "opus": "audio/ogg",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "aac": "audio/aac",
    "pcm": "audio/pcm",
    "ulaw": "audio/basic",
    "alaw": "audio/PCMA",
}
LAST_SECOND = 253_402_300_799
"""Of the year 9999."""


def item_of(generation: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """Return a completed generation in their words.

    The characters changed from 0 to those that it cost: what an account had used before is not kept with it.
    """
    return {
        "history_item_id": generation["id"],
        "request_id": None,
        "voice_id": generation["voice_id"],
        "model_id": generation["model_id"],
        "voice_name": generation["voice_name"],
        "voice_category": None,
        "text": generation["text"],
        "date_unix": unix_seconds(generation["created_at"]),
        "character_count_change_from": 0,
        "character_count_change_to": generation["characters_spoken"] or 0,
        "content_type": _CONTENT_TYPES[str(generation["format"]).partition("_")[0]],
        "state": "created",
        "settings": {"speed": generation["speed"]},
        "feedback": None,
        "share_link_id": None,
        "source": "TTS",
        "output_format": generation["format"],
    }


def alignments_of(sent: Mapping[str, Any], normalized: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """Return when the characters of the text, and of what was read in its place, are heard."""
    return {"alignment": _alignment(sent), "normalized_alignment": _alignment(normalized)}


def _alignment(ours: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    return plain_alignment(ours["characters"], ours["start_times"], ours["end_times"])


def moment(field: str, unix: int) -> str:
    """Return seconds since 1970 as our API writes times; raises InvalidField."""
    if not 0 <= unix <= LAST_SECOND:
        raise InvalidField(field, f"is to be in seconds since 1970, from 0 to {LAST_SECOND}")
    return datetime.fromtimestamp(unix, UTC).isoformat()
