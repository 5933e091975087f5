"""Our engines as ElevenLabs' clients see models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.gateway.domain.elevenlabs.speech import TEXT_MAX_LENGTH


def model_of(engine: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """Return an engine in their words. A language's name is its tag: their clients show it to people."""
    most = engine["most_characters"] or TEXT_MAX_LENGTH
    return {
        "model_id": engine["id"],
        "name": engine["id"],
        "can_be_finetuned": False,
        "can_do_text_to_speech": engine["ready"],
        "can_do_voice_conversion": False,
        "can_use_style": False,
        "can_use_speaker_boost": False,
        "serves_pro_voices": False,
        "token_cost_factor": 1.0,
        "description": engine["description"],
        "requires_alpha_access": False,
        "max_characters_request_free_user": most,
        "max_characters_request_subscribed_user": most,
        "maximum_text_length_per_request": most,
        "languages": [{"language_id": tag, "name": tag} for tag in engine["languages"] or ()],
        "model_rates": {"character_cost_multiplier": 1.0},
        "concurrency_group": "standard",
    }
