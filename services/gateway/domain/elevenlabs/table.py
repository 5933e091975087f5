"""The calls of ElevenLabs' API that are answered here, and what a key needs for each."""

from __future__ import annotations

from dataclasses import dataclass

from services.gateway.domain.access import Scope

PREFIX = "/elevenlabs"
"""Where all of them are; those whose path none of our own routes has are at the root, too."""

_MIB = 2**20
_READ, _WRITE = Scope.SPEECH_READ, Scope.SPEECH_WRITE


@dataclass(frozen=True, slots=True)
class Call:
    """One of their calls. `repeatable` is false where their clients would repeat only a part of the request."""

    method: str
    path: str
    scope: Scope
    body_bytes: int = _MIB
    answer_seconds: float = 30.0
    repeatable: bool = True


_BOOK = 13 * _MIB
_WAIT = 75.0
_SPEECH = "/v1/text-to-speech/{voice_id}"
_DICTIONARIES = "/v1/pronunciation-dictionaries"
_DICTIONARY = "/v1/pronunciation-dictionaries/{dictionary_id}"

CALLS = (
    Call("GET", "/v1/voices", Scope.VOICES_READ),
    Call("GET", "/v2/voices", Scope.VOICES_READ),
    Call("POST", "/v1/voices/add", Scope.VOICES_WRITE, 21 * _MIB, 300.0, repeatable=False),
    Call("GET", "/v1/voices/settings/default", Scope.VOICES_READ),
    Call("GET", "/v1/voices/{voice_id}", Scope.VOICES_READ),
    Call("DELETE", "/v1/voices/{voice_id}", Scope.VOICES_WRITE),
    Call("POST", "/v1/voices/{voice_id}/edit", Scope.VOICES_WRITE, repeatable=False),
    Call("GET", "/v1/voices/{voice_id}/settings", Scope.VOICES_READ),
    Call("POST", "/v1/voices/{voice_id}/settings/edit", Scope.VOICES_WRITE),
    Call("GET", "/v1/voices/{voice_id}/samples/{sample_id}/audio", Scope.VOICES_READ),
    Call("DELETE", "/v1/voices/{voice_id}/samples/{sample_id}", Scope.VOICES_WRITE),
    Call("POST", _SPEECH, _WRITE, _BOOK, _WAIT),
    Call("POST", f"{_SPEECH}/stream", _WRITE, _BOOK, _WAIT),
    Call("POST", f"{_SPEECH}/with-timestamps", _WRITE, _BOOK, _WAIT),
    Call("POST", f"{_SPEECH}/stream/with-timestamps", _WRITE, _BOOK, _WAIT),
    Call("POST", "/v1/forced-alignment", _WRITE, 21 * _MIB, 300.0, repeatable=False),
    Call("GET", "/v1/history", _READ),
    Call("POST", "/v1/history/download", _READ),
    Call("GET", "/v1/history/{history_item_id}", _READ),
    Call("DELETE", "/v1/history/{history_item_id}", _WRITE),
    Call("GET", "/v1/history/{history_item_id}/audio", _READ),
    Call("GET", "/v1/models", _READ),
    Call("GET", "/v1/user", Scope.USAGE_READ),
    Call("GET", "/v1/user/subscription", Scope.USAGE_READ),
    Call("GET", "/v1/usage/character-stats", Scope.USAGE_READ),
    Call("GET", _DICTIONARIES, _READ),
    Call("GET", f"{_DICTIONARIES}/", _READ),
    Call("POST", f"{_DICTIONARIES}/add-from-rules", _WRITE),
    Call("POST", f"{_DICTIONARIES}/add-from-file", _WRITE, repeatable=False),
    Call("GET", _DICTIONARY, _READ),
    Call("GET", f"{_DICTIONARY}/", _READ),
    Call("POST", f"{_DICTIONARY}/add-rules", _WRITE),
    Call("POST", f"{_DICTIONARY}/remove-rules", _WRITE),
    Call("POST", f"{_DICTIONARY}/set-rules", _WRITE),
    Call("GET", f"{_DICTIONARY}/{{version_id}}/download", _READ),
)

STREAM_INPUT = Call("GET", f"{_SPEECH}/stream-input", _WRITE)
"""A WebSocket."""
