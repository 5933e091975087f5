"""Types of fields that requests of several services have."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from libs.ids import parse_id

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}")


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"has a NUL at character {text.index(chr(0))}; remove it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"has half a surrogate pair at character {error.start}; remove it") from error
    return text


def _written_out(moment: object) -> object:
    """Not whatever can be read as a time: a number would be seconds since 1970."""
    if isinstance(moment, str) and not _MOMENT.match(moment):
        raise ValueError("is not a time; write it as 2026-01-31T12:00:00Z")
    return moment


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies outside the calendar in UTC; name a time within the years 1 to 9999") from error


Storable = Annotated[str, AfterValidator(_storable)]
"""Text that the database can hold and look for."""
Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]
"""A time with its zone, in UTC once it is read."""


def as_id(text: str, missing: Callable[[], Exception]) -> UUID:
    """Return the id that a path or query has; raises what `missing` makes for what is none."""
    parsed = parse_id(text)
    if parsed is None:
        raise missing()
    return parsed
