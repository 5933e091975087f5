"""What reports of use are asked for: days, zones, and whose use."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import Depends, Query
from pydantic import BeforeValidator

from libs.database import InvalidCursor
from services.analytics.domain import Unit
from services.analytics.domain.reports import UTC_ZONE, Wanted

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _day(text: str) -> str:
    if not _DAY.fullmatch(text):
        raise ValueError("is not a day; write it as 2026-01-31")
    return text


# Not whatever can be read as a date: a number would be seconds since 1970.
Day = Annotated[date, BeforeValidator(_day)]


@dataclass(frozen=True, slots=True)
class Days:
    """Which days are asked about, both included; None for the default."""

    first: date | None
    last: date | None
    zone: str


async def _days(
    first: Annotated[Day | None, Query(alias="from", description="The first day, in the zone `tz`.")] = None,
    last: Annotated[Day | None, Query(alias="to", description="The last day, in the zone `tz`.")] = None,
    tz: Annotated[
        str,
        Query(max_length=64, description="The IANA name of the zone of days and hours.", examples=["Asia/Kolkata"]),
    ] = UTC_ZONE,
) -> Days:
    return Days(first, last, tz)


async def _wanted(
    voice_id: Annotated[UUID | None, Query(description="Only use of this voice.")] = None,
    key_id: Annotated[UUID | None, Query(description="Only use by this API key.")] = None,
    user_id: Annotated[UUID | None, Query(description="Only use by this user's keys.")] = None,
    audio_format: Annotated[
        str | None,
        Query(max_length=40, pattern=r"^[a-z0-9_]+$", description="Only use of this audio format.", examples=["wav"]),
    ] = None,
    unit: Annotated[Unit | None, Query(description="Only what used some of this.")] = None,
) -> Wanted:
    return Wanted(voice_id, key_id, user_id, audio_format, unit)


DaysOf = Annotated[Days, Depends(_days)]
WantedOf = Annotated[Wanted, Depends(_wanted)]


def encode_position(keys: Sequence[str]) -> str:
    """Return the cursor that names a group."""
    return base64.urlsafe_b64encode(orjson.dumps(list(keys))).decode().rstrip("=")


def decode_position(text: str, parts: int) -> tuple[str, ...]:
    """Read what `encode_position` wrote about so many groups; raises InvalidCursor."""
    try:
        keys = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error) as error:
        raise InvalidCursor(text) from error
    if not isinstance(keys, list) or len(keys) != parts or not all(isinstance(key, str) for key in keys):
        raise InvalidCursor(text)
    if any("\0" in key for key in keys):
        raise InvalidCursor(text)
    return tuple(keys)
