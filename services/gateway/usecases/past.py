"""What was spoken, page by page, for clients that know the last item of a page and no cursor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from libs.database import Cursor
from libs.ids import parse_id
from services.gateway.adapters.asking import Asking
from services.gateway.domain.failures import InvalidField, Refused

GENERATION = "/v1/generations/{generation_id}"
_PAGE = 100
_VERSION_7 = 7


@dataclass(frozen=True, slots=True)
class Past:
    """Some generations, and whether there are older ones."""

    generations: Sequence[Mapping[str, Any]]  # Any: JSON
    has_more: bool


async def list_completed(asking: Asking, filters: Mapping[str, str], *, after: str | None, at_most: int) -> Past:
    """Return the newest generations that were asked for before `after`; raises InvalidField for what is no id."""
    cursor = await _behind(asking, after) if after else None
    found: list[Mapping[str, Any]] = []  # Any: JSON
    while True:
        limit = min(_PAGE, at_most - len(found))
        query = {**filters, "limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        target = f"/v1/generations?{urlencode(query)}"
        page = await asking.json("GET", "generation", target, template="/v1/generations")
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None or len(found) >= at_most:
            return Past(found, cursor is not None)


async def _behind(asking: Asking, after: str) -> str:
    known = parse_id(after)
    if known is None:
        raise InvalidField("start_after_history_item_id", "is no id of an item; leave it out to start over")
    try:
        generation = await asking.json("GET", "generation", f"/v1/generations/{known}", template=GENERATION)
    except Refused as refusal:
        if refusal.code != "generation_not_found" or known.version != _VERSION_7:
            raise
        return Cursor(_made_at(known), known).encode()
    return Cursor(datetime.fromisoformat(generation["created_at"]), known).encode()


def _made_at(deleted: UUID) -> datetime:
    """Return when a generation was made that is gone: clients delete a page's items and then ask for the next page.

    Its id says it by the millisecond; up to the end of that, so that rather an item comes twice than not at all.
    """
    return datetime.fromtimestamp((deleted.int >> 80) / 1000, UTC) + timedelta(milliseconds=1)
