"""Many visit while backups are made; then everything that is left of it is looked through."""

from __future__ import annotations

import random
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.books import database
from tests.support.api import Api
from tests.support.needles import Needles, forms_of_bytes
from tests.support.otlp import SpanReceiver
from tests.support.polling import eventually
from tests.support.stack import Stack
from tests.support.visitors import PROXY, ROUTE, Site, Visitor, messages_of, new_visitors, rows_of, salt_of, tokens_of

MARKS = ("seen before the full backup", "seen before the incremental one", "seen after both")


@dataclass(frozen=True)
class Visits:
    """Who came, and by which names their events can be found again: one for each of MARKS."""

    visitors: Sequence[Visitor]
    events: Sequence[str]
    ended: datetime


def watched_by(receiver: SpanReceiver) -> dict[str, str]:
    """Return the settings of a stack that says everything it can, behind a proxy that it believes."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_BSP_MAX_QUEUE_SIZE": "65536",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "ANTIPHON_TRUSTED_PROXIES": PROXY,
        "ANTIPHON_LOG_LEVEL": "DEBUG",
    }


async def visit(stack: Stack, count: int) -> Visits:
    """Let people visit, a third of them each before a full backup, before one of what changed, and after that."""
    made = "".join(random.choices(string.ascii_lowercase, k=12))
    visitors, events = new_visitors(count), [f"{name}_{made}" for name in ("first", "second", "third")]
    async with Api(stack.url, stack.api_key) as api:
        answer = await api.post("/v1/keys", json={"name": "Site", "scopes": ["analytics:write"]})
        site = Site(stack, answer.json["key"])
    for part, event in enumerate(events):
        await site.tell(visitors[part::3], event)
        if part < 2:
            stack.run("backup", *(["--full"] if part == 0 else []))
    async with database(stack, "analytics") as connection:
        query = "select count(*), count(distinct visitor) from analytics_events where name = any($1)"
        # Each is somebody else: the address was known when it was needed.
        row = await connection.fetchrow(query, events)
        assert row is not None
        assert tuple(row) == (count, count)
        return Visits(visitors, events, (await connection.fetchval("select clock_timestamp()")).astimezone(UTC))


def _needles(stack: Stack, visits: Visits, *further: tuple[str, Iterable[bytes]]) -> Needles:
    tokens = tokens_of(stack)
    whose = (needle for visitor in visits.visitors for needle in visitor.needles(tokens))
    marks = ((mark, [event.encode()]) for mark, event in zip(MARKS, visits.events, strict=True))
    return Needles([*whose, *marks, *further])


async def look_everywhere(stack: Stack, vault: Path, receiver: SpanReceiver, visits: Visits) -> None:
    """Look through files, rows, messages, traces, metrics and backups; in each what may be there is found."""
    await _all_is_told(receiver, visits)
    salt = await salt_of(stack)
    needles = _needles(stack, visits, ("the salt", forms_of_bytes(salt.content)), ("the route", [ROUTE.encode()]))
    places: dict[str, Mapping[str, object]] = {
        "the files": (files := needles.below(stack.home)),
        "the backups": (backups := needles.below(vault)),
        "rows": (rows := needles.in_bytes(await rows_of(stack))),
        "messages": needles.in_bytes(await messages_of(stack)),
        "traces and metrics": (told := needles.in_bytes(b"\n".join(receiver.bodies))),
    }
    # Where nothing is found, something could have been.
    assert {"logs/gateway.log"} <= set(files["the route"])
    assert "the route" in told
    assert set(MARKS) <= set(files) & set(rows)
    _stand_in_backups(backups)
    assert files.pop("the salt", []) in ([], [f"postgres/data/{salt.file}"])
    _nobody_is_in(places)


async def look_into_rows(restored: Stack, visits: Visits) -> None:
    """Look through the rows of a stack that was restored after all visits."""
    rows = _needles(restored, visits).in_bytes(await rows_of(restored))
    assert set(MARKS) <= set(rows)
    _nobody_is_in({"restored rows": rows})
    async with database(restored, "analytics") as connection:
        assert await connection.fetchval("select count(*) from analytics_salts") == 0


def _nobody_is_in(places: Mapping[str, Mapping[str, object]]) -> None:
    allowed = {"the route", *MARKS}
    leaks = {place: {name: of[name] for name in sorted(set(of) - allowed)[:10]} for place, of in places.items()}
    found = {place: of for place, of in leaks.items() if of}
    assert not found, found


def _stand_in_backups(found: Mapping[str, Sequence[str]]) -> None:
    """Check that what may be in a backup is in that in which it should be."""
    before, between, after = (found[mark] for mark in MARKS)
    assert any(file.startswith("backups/") for file in before)
    assert any(file.startswith("backups/") and "INCREMENTAL" in file for file in between)
    assert any(file.startswith("wal/") for file in after)
    assert not any(file.startswith("backups/") for file in after)


async def _all_is_told(receiver: SpanReceiver, visits: Visits) -> None:
    """Wait until spans and metrics of all visits have come."""
    asked = f"POST {ROUTE}"

    async def has_come() -> bool:
        return receiver.count(asked) >= len(visits.visitors) and receiver.has(b"http.server.request.duration")

    await eventually(has_come, within=30, what="traces and metrics")
