"""Dead letters in a backup: the only thing that the broker alone knows.

Every other message follows from the services' archives, which lie in the databases: a restored stack begins with an
empty broker, and its relays publish the last seven days again. What a consumer could not apply comes again with them.
Only dead letters of older events would be gone, so these are kept and put back.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deploy.embedded.home import write_atomically
from libs.messaging import Bus
from libs.messaging.deadletters import Filter, find
from libs.messaging.topology import DEAD_LETTERS, EVENT_MAX_AGE, streams
from libs.messaging.upkeep import ensure_stream

_MARGIN = timedelta(hours=1)
"""Rather twice than not at all."""


async def save(bus: Bus, file: Path) -> int:
    """Write every dead letter to a file; returns how many there are."""
    lines = [
        json.dumps(
            {
                "subject": letter.subject,
                "headers": dict(letter.headers),
                "payload": b64encode(letter.payload).decode(),
            }
        )
        async for letter in find(bus, Filter())
    ]
    write_atomically(file, "".join(line + "\n" for line in lines))
    return len(lines)


async def put_back(bus: Bus, file: Path, now: datetime) -> int:
    """Bury again what does not come again by itself; returns how many."""
    (wanted,) = (stream for stream in streams() if stream.name == DEAD_LETTERS)
    await ensure_stream(bus.jetstream, wanted)
    count = 0
    for letter in _read(file):
        if _comes_again(letter["headers"], now):
            continue
        # Under its old number the broker might take a new dead letter for it.
        headers = {name: value for name, value in letter["headers"].items() if name != "Nats-Msg-Id"}
        await bus.jetstream.publish(
            letter["subject"], b64decode(letter["payload"]), headers=headers, stream=DEAD_LETTERS
        )
        count += 1
    return count


def _read(file: Path) -> Iterator[dict[str, Any]]:  # as `save` wrote it
    with file.open() as lines:
        yield from (json.loads(line) for line in lines)


def _comes_again(headers: dict[str, str], now: datetime) -> bool:
    """Whether the event is young enough for its service's relay to publish it once more."""
    try:
        moment = datetime.fromisoformat(headers["ce-time"])
    except (KeyError, ValueError):
        return False  # nobody knows it: no archive has it
    return moment.astimezone(UTC) > now - timedelta(seconds=EVENT_MAX_AGE) + _MARGIN
