"""The ledger, line by line, for whoever does accounts of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date

from libs.web import Caller
from services.analytics import domain, store
from services.analytics.adapters.ledger_files import new_file
from services.analytics.domain.lines import FileFormat, Line, LinesQuery
from services.analytics.usecases.deps import Deps

LINES_AT_ONCE = 10_000
"""About 10 MB of them."""


@dataclass(frozen=True, slots=True)
class LedgerExport:
    """A file with the lines of some days, both included; `content` is made while it is read."""

    first: date
    last: date
    content: AsyncIterator[bytes]


async def export_ledger(deps: Deps, caller: Caller, query: LinesQuery, kind: FileFormat) -> LedgerExport:
    """Return the lines of the caller's organisation as a file.

    Lines that come while it is read may be in it or not, those before are. Raises InvalidRange, UnknownZone.
    """
    today = await deps.zones.today(deps.database, deps.clock(), query.zone)
    first, last = domain.usage_range(query.first, query.last, today)
    return LedgerExport(first, last, _content(deps, caller, query, first, last, kind))


async def _content(
    deps: Deps, caller: Caller, query: LinesQuery, first: date, last: date, kind: FileFormat
) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(new_file, kind)
    after: Line | None = None
    more = True
    while more:
        # A transaction for each page: nobody's slow connection keeps one open.
        async with deps.database.transaction(caller.org_id) as session:
            lines = await store.list_lines(session, caller.org_id, query, first, last, after=after, most=LINES_AT_ONCE)
        more = len(lines) == LINES_AT_ONCE
        after = lines[-1] if lines else None
        if written := await asyncio.to_thread(file.write, lines):
            yield written
    yield await asyncio.to_thread(file.close)
