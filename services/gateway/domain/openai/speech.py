"""What a request to OpenAI's `/v1/audio/speech` asks of us."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from libs.speech.catalogue import SYSTEM_VOICES

INPUT_MAX_LENGTH = 4096
"""Characters; OpenAI's documentation of `input`."""
SPEED_RANGE = (0.25, 4.0)

ResponseFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
FORMATS: Mapping[str, str] = {
    "mp3": "mp3_24000_64",
    "opus": "opus_48000_64",
    "aac": "aac_24000_64",
    "flac": "flac_24000",
    "wav": "wav_24000",
    "pcm": "pcm_24000",  # 16 bit, mono: what their clients take it for
}
CONTENT_TYPES = {"opus": "audio/opus", "pcm": "audio/pcm"}
"""Where their clients know another name than ours."""

OWN_SPEECH_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
"""Their names for what is here the voice's own engine."""
EMBEDDING_MODELS: Sequence[str] = ("text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002")
"""Their names for what is here the one embedding model."""

_NAMED: Mapping[str, str] = {
    "alloy": "Emma",
    "ash": "Carter",
    "ballad": "Edmund",
    "cedar": "Mason",
    "coral": "Abigail",
    "echo": "Aaron",
    "fable": "Henry",
    "marin": "Fiona",
    "nova": "Matilda",
    "onyx": "Nigel",
    "sage": "Charlotte",
    "shimmer": "Luna",
    "verse": "Graham",
}
_SYSTEM_IDS = {voice.name: str(voice.id) for voice in SYSTEM_VOICES}
VOICE_IDS: Mapping[str, str] = {name: _SYSTEM_IDS[ours] for name, ours in _NAMED.items()}
"""OpenAI's voices by name, and which system voice speaks for each."""


def engine_of(model: str) -> str | None:
    """Return the engine that `model` names; None for one of OpenAI's names: the voice's own engine."""
    return None if model in OWN_SPEECH_MODELS or model.startswith("gpt-4o-mini-tts-") else model


def models(
    engines: Iterable[Mapping[str, Any]],  # Any: JSON
    embedding_model: str,
) -> list[dict[str, Any]]:
    """Return the entries of their list of models: their own names that are understood here, and our engines."""
    ids = [*OWN_SPEECH_MODELS, *(str(engine["id"]) for engine in engines), *EMBEDDING_MODELS, embedding_model]
    return [{"id": one, "object": "model", "created": 0, "owned_by": "antiphon"} for one in dict.fromkeys(ids)]
