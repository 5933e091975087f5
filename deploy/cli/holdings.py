"""What organisations have, by what storage and voice keep, compared with what plans are measured by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from libs.database import Database
from services.analytics import store as analytics
from services.analytics.domain import Quota
from services.analytics.store import Holding
from services.analytics.usecases.holding import HOLDINGS_AT_ONCE, Otherwise, correct, list_otherwise
from services.storage.store import holdings as storage
from services.voice import store as voice

SETTLE_SECONDS = 3.0
"""What differs is looked at once more after so long: what is kept or deleted just now is told a moment later."""
YOUNG = timedelta(hours=1)
"""What is younger may be told of before it is kept."""
_BEGINNING = UUID(int=0)


async def compare_holdings(databases: Mapping[str, Database]) -> list[Otherwise]:
    """Return what is known otherwise than it is; `databases` are those of storage, voice and analytics.

    Safe while the system runs.
    """
    found = [one async for one in _otherwise(databases)]
    if not found:
        return []
    await asyncio.sleep(SETTLE_SECONDS)
    kept = await list_otherwise(databases["analytics"], [one.real for one in found if one.real.quantity])
    return kept + await _known_no_more(databases, [one for one in found if not one.real.quantity])


async def correct_holdings(databases: Mapping[str, Database], found: list[Otherwise]) -> int:
    """Write down how it is; return how much of it was known otherwise."""
    return await correct(databases["analytics"], found)


async def _otherwise(databases: Mapping[str, Database]) -> AsyncIterator[Otherwise]:
    async for page in _real(databases):
        for one in await list_otherwise(databases["analytics"], page):
            yield one
    after: tuple[str, UUID] = ("", _BEGINNING)
    while True:
        async with databases["analytics"].transaction() as session:
            known = await analytics.list_holdings(session, after=after, limit=HOLDINGS_AT_ONCE)
        if not known:
            return
        after = known[-1].quota.value, known[-1].id
        old = [one for one in known if _age(one.id) > YOUNG]
        gone = [Otherwise(Holding(one.quota, one.id, one.org_id, 0, one.revision), one.quantity) for one in old]
        for one in await _unkept(databases, gone):
            yield one


async def _real(databases: Mapping[str, Database]) -> AsyncIterator[list[Holding]]:
    after = _BEGINNING
    while True:
        async with databases["storage"].transaction() as session:
            held = await storage.list_held(session, after=after, limit=HOLDINGS_AT_ONCE)
        if not held:
            break
        yield [Holding(Quota.STORED_BYTES, one.id, one.org_id, one.size_bytes, 1) for one in held]
        after = held[-1].id
    after = _BEGINNING
    while True:
        async with databases["voice"].transaction() as session:
            voices = await voice.list_recorded(session, after=after, limit=HOLDINGS_AT_ONCE)
        if not voices:
            break
        yield [Holding(Quota.CUSTOM_VOICES, one.id, one.org_id, 1, 1) for one in voices]
        yield [Holding(Quota.STORED_BYTES, one.id, one.org_id, one.size_bytes, one.submitted) for one in voices]
        after = voices[-1].id


def _age(thing_id: UUID) -> timedelta:
    """How old a thing is, by its id (UUIDv7: milliseconds since 1970 in its first 48 bits)."""
    return datetime.now(UTC) - datetime.fromtimestamp((thing_id.int >> 80) / 1000, UTC)


async def _unkept(databases: Mapping[str, Database], gone: list[Otherwise]) -> list[Otherwise]:
    """Return those that nobody keeps."""
    ids = list({one.real.id for one in gone})
    async with databases["voice"].transaction() as session:
        voices = await voice.list_known(session, ids)
    async with databases["storage"].transaction() as session:
        stored = await storage.list_known(session, ids)
    return [
        one
        for one in gone
        if one.real.id not in voices and not (one.real.quota is Quota.STORED_BYTES and one.real.id in stored)
    ]


async def _known_no_more(databases: Mapping[str, Database], gone: list[Otherwise]) -> list[Otherwise]:
    """Return those that are still known, and that nobody keeps still."""
    still = await list_otherwise(databases["analytics"], [one.real for one in gone])
    return await _unkept(databases, still)
