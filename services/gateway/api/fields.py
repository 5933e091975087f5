"""Fields of the gateway's own requests and answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from services.gateway.domain.members import is_address


def storable(text: str) -> str:
    """Return `text`, which may be empty; raises ValueError for what no database takes."""
    if "\0" in text:
        raise ValueError("contains the character U+0000; leave it out")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("contains half of a surrogate pair; send whole characters") from error
    return text


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("consists of spaces only; write something")
    return text


def _address(text: str) -> str:
    if not is_address(storable(text)):
        raise ValueError("is no e-mail address; write name@host")
    return text


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies outside the calendar in UTC; name a time within the years 1 to 9999") from error


Email = Annotated[str, Field(max_length=254), AfterValidator(_address)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(storable), AfterValidator(_said)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class Body(BaseModel):
    """A request's body: what it does not know is refused."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(BaseModel):
    """Which part of a list."""

    limit: int = Field(50, ge=1, le=100, description="How many to list.")
    cursor: str | None = Field(None, max_length=200, description="`next_cursor` of the page before.")
