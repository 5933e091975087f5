"""What was used in each quarter of an hour, by whom and for what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Numeric, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from services.analytics.domain.whose import Use, Whose
from services.analytics.store.tables import uuid_type

Quarter = tuple[UUID, datetime, Whose]
"""Whose use, in which quarter of an hour, and for what."""

_ADD = Prepared(
    text(
        """
        insert into usage_quarters as known (org_id, begins_at, voice_id, key_id, user_id, format,
            characters, audio_seconds, generations, characters_cached)
        select * from unnest(:orgs, :times, :voices, :keys, :users, :formats,
            :characters, :seconds, :generations, :cached)
        on conflict (org_id, begins_at, voice_id, key_id, user_id, format) do update
            set characters = known.characters + excluded.characters,
                audio_seconds = known.audio_seconds + excluded.audio_seconds,
                generations = known.generations + excluded.generations,
                characters_cached = known.characters_cached + excluded.characters_cached
        """
    ).bindparams(
        *(bindparam(name, type_=ARRAY(uuid_type)) for name in ("orgs", "voices", "keys", "users")),
        *(bindparam(name, type_=ARRAY(Numeric)) for name in ("characters", "seconds", "cached")),
        bindparam("times", type_=ARRAY(DateTime(timezone=True))),
        bindparam("formats", type_=ARRAY(Text)),
        bindparam("generations", type_=ARRAY(BigInteger)),
    )
)


@dataclass(frozen=True, slots=True)
class QuarterDifference:
    """A quarter of an hour in which an organisation's sum of something is not what the ledger counts."""

    org_id: UUID
    begins_at: datetime
    unit: str
    kept: Decimal
    counted: Decimal


async def add_quarters(session: AsyncSession, used: Mapping[Quarter, Use]) -> None:
    """Add to what was used in quarters of hours."""
    # In one order, so that nobody deadlocks.
    rows = sorted(used.items(), key=lambda item: (item[0][0], item[0][1], item[0][2].order))
    await _ADD.fetch(
        session,
        orgs=[org_id for (org_id, _, _), _ in rows],
        times=[begins_at for (_, begins_at, _), _ in rows],
        voices=[whose.voice_id for (_, _, whose), _ in rows],
        keys=[whose.key_id for (_, _, whose), _ in rows],
        users=[whose.user_id for (_, _, whose), _ in rows],
        formats=[whose.format for (_, _, whose), _ in rows],
        characters=[use.characters for _, use in rows],
        seconds=[use.audio_seconds for _, use in rows],
        generations=[use.generations for _, use in rows],
        cached=[use.characters_cached for _, use in rows],
    )


async def list_quarter_differences(session: AsyncSession, since: date) -> list[QuarterDifference]:
    """Compare the quarters of all organisations with the ledger, from `since` (UTC) or where the ledger begins.

    None is what there should be. Reads all of that part of the ledger.
    """
    statement = text("select * from usage_quarter_differences(:since) order by org_id, begins_at, unit")
    rows = await session.execute(statement, {"since": since})
    return [QuarterDifference(**row._asdict()) for row in rows]
