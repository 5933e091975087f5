"""What a speech server's refusal means, without repeating what is nobody else's business."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from libs.speech.adapters.protocol import EngineBusy, EngineRefused
from libs.speech.engine import SpeechError

_LONGEST_MESSAGE = 200
_LONGEST_WAIT_SECONDS = 3600.0
_RUN = 8
"""Characters in a row that a message may not share with a text or key. Words have fewer."""


def failure_of(status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> SpeechError:
    """The error for an answer other than 200.

    The server's message comes along, shortened, and without what it shares with one of `secrets` (the text, the key).
    """
    if status in (401, 403):
        return EngineRefused(f"the speech server refused the key ({status}): check ANTIPHON_OPENAI_SPEECH_KEY_FILE")
    message = _without(_message(body), secrets)[:_LONGEST_MESSAGE]
    said = f"the speech server answered {status}" + (f": {message}" if message else "")
    if status in (408, 409, 429) or status >= 500:
        return EngineBusy(said, _retry_after(headers.get("Retry-After", "")))
    if 300 <= status < 400 or status == 404:
        said += "; check ANTIPHON_OPENAI_SPEECH_URL"
    return EngineRefused(said)


def _message(body: bytes) -> str:
    """What the JSON says is wrong, in OpenAI's form or FastAPI's; nothing for any other body."""
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    reason = answer.get("error") or answer.get("detail") if isinstance(answer, dict) else None
    if isinstance(reason, list):
        reason = reason[0] if reason else None
    if isinstance(reason, dict):
        reason = reason.get("message") or reason.get("msg")
    return " ".join(reason.split()) if isinstance(reason, str) else ""


def _without(message: str, secrets: Sequence[str]) -> str:
    """The message with an ellipsis in place of every run of characters that it shares with a secret."""
    shared = [False] * len(message)
    for secret in map(_spaced, secrets):
        size = min(_RUN, len(secret))
        runs = {secret[at : at + size] for at in range(len(secret) - size + 1)} if size > 1 else set()
        for at in range(len(message) - size + 1):
            if message[at : at + size] in runs:
                shared[at : at + size] = [True] * size
    kept = [
        "" if hidden and index and shared[index - 1] else "…" if hidden else message[index]
        for index, hidden in enumerate(shared)
    ]
    return "".join(kept)


def _spaced(secret: str) -> str:
    return " ".join(secret.split())


def _retry_after(value: str) -> float | None:
    """Seconds, from seconds or a date; at most an hour. None if the header says nothing."""
    try:
        seconds = float(value) if value.strip().isdecimal() else _seconds_until(value)
    except ValueError:
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS)


def _seconds_until(date: str) -> float:
    moment = parsedate_to_datetime(date)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp()
