"""The users of the broker, as its configuration wants them: with their passwords and with what they may do."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

USERS_FILE = Path(__file__).parent / "nats_users.json"
REPLY_SECONDS = 60
"""How long after it was asked a user may reply."""


def users_block(password_of: Callable[[str], str]) -> str:
    """Return `users: [...]` for an account of a nats-server configuration."""
    # Any: JSON; deploy/setup/nats_users.py writes it.
    users: dict[str, Any] = json.loads(USERS_FILE.read_text(encoding="utf-8"))
    return f"users: [\n{''.join(_user(name, password_of(name), allowed) for name, allowed in users.items())}]\n"


def _user(name: str, password: str, allowed: dict[str, Any] | None) -> str:
    if allowed is None:
        return f'  {{user: {name}, password: "{password}"}}\n'
    replies = f', allow_responses: {{max: 1, expires: "{REPLY_SECONDS}s"}}' if allowed["replies"] else ""
    rights = f"publish: {{allow: {_list(allowed['publish'])}}}, subscribe: {{allow: {_list(allowed['subscribe'])}}}"
    return f'  {{user: {name}, password: "{password}", permissions: {{{rights}{replies}}}}}\n'


def _list(subjects: Sequence[str]) -> str:
    return f"[{', '.join(json.dumps(subject) for subject in subjects)}]"
