"""Generations end: what was spoken is billed, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.analytics.v1.events_pb2 import UsageRecorded
from libs.contracts.antiphon.generation.v1.events_pb2 import (
    GenerationCanceled,
    GenerationCompleted,
    GenerationDeleted,
    GenerationFailed,
)
from libs.ids import new_id, parse_id
from libs.messaging import projection
from libs.messaging.causes import cause_of
from services.analytics import domain, store
from services.analytics.consumers.stamps import time_of
from services.analytics.domain import DayOfUse, Entry, Quota, Unit
from services.analytics.domain.reports import quarter_of
from services.analytics.domain.whose import Use, Whose
from services.analytics.store.rollups import Quarter
from services.analytics.usecases import thresholds

GATHER_SECONDS = 0.1
"""How much later than a generation its use may be known: what is reserved counts until then."""

_LIMITED = frozenset(quota.value for quota in Quota)


@projection(GenerationCompleted, gather_seconds=GATHER_SECONDS)
async def record_usage(session: AsyncSession, events: Sequence[GenerationCompleted]) -> None:
    """What was spoken goes into the ledger, and from there into the sums; its reservation is settled."""
    told = {UUID(event.generation_id): event for event in events}
    # Settled once: whatever is told again, under whatever id and by whomever, finds that done.
    settled = await store.settle_reservations(
        session, [(generation_id, UUID(event.org_id)) for generation_id, event in told.items()]
    )
    by_generation = {generation_id: event for generation_id, event in told.items() if generation_id in settled}
    if not by_generation:
        return
    entries = [entry for event in by_generation.values() for entry in _entries(session, event)]
    totals = await store.record_usage(session, entries, _totals(entries), _days(by_generation.values()))
    await store.add_quarters(session, _quarters(by_generation.values()))
    for entry in entries:
        outbox.add(session, _recorded(entry), cause=by_generation[entry.resource_id])
    used = {
        (org_id, period, Quota(unit)): total for (org_id, period, unit), total in totals.items() if unit in _LIMITED
    }
    causes = {UUID(event.org_id): event for event in by_generation.values()}
    await thresholds.tell_thresholds(session, used, max(entry.at for entry in entries), causes)


def _spoken(event: GenerationCompleted) -> int:
    """Return how many characters were spoken for it; in what was completed before audio was shared, all."""
    return event.characters_spoken if event.HasField("characters_spoken") else event.characters


def _entries(session: AsyncSession, event: GenerationCompleted) -> Iterator[Entry]:
    event_id = UUID(cause_of(session, event).event_id)
    quantities = {
        Unit.CHARACTERS: Decimal(_spoken(event)),
        Unit.CHARACTERS_CACHED: Decimal(event.characters - _spoken(event)),
        # Milliseconds: sums of them are exact.
        Unit.AUDIO_SECONDS: Decimal(round(event.duration_seconds * 1000)) / 1000,
    }
    for unit, quantity in quantities.items():
        if not quantity and unit is Unit.CHARACTERS_CACHED:
            continue
        yield Entry(
            id=new_id(),
            event_id=event_id,
            org_id=UUID(event.org_id),
            unit=unit,
            quantity=quantity,
            resource_id=UUID(event.generation_id),
            at=time_of(event.completed_at),
            whose=_whose(event),
        )


def _whose(event: GenerationCompleted) -> Whose:
    return Whose(parse_id(event.voice_id), parse_id(event.key_id), parse_id(event.user_id), event.format or None)


def _totals(entries: Sequence[Entry]) -> dict[tuple[UUID, date, str], Decimal]:
    sums: dict[tuple[UUID, date, str], Decimal] = defaultdict(Decimal)
    for entry in entries:
        sums[entry.org_id, domain.period_of(entry.at), str(entry.unit)] += entry.quantity
        if entry.unit is Unit.CHARACTERS:
            sums[entry.org_id, domain.period_of(entry.at), Quota.REQUESTS.value] += 1
    return sums


def _days(events: Iterable[GenerationCompleted]) -> dict[tuple[UUID, date], DayOfUse]:
    days: dict[tuple[UUID, date], DayOfUse] = {}
    for event in events:
        day = time_of(event.completed_at).date()
        key = (UUID(event.org_id), day)
        so_far = days.get(key, DayOfUse(day, Decimal(0), Decimal(0), 0))
        days[key] = DayOfUse(
            day,
            so_far.characters + _spoken(event),
            so_far.audio_seconds + Decimal(round(event.duration_seconds * 1000)) / 1000,
            so_far.generations + 1,
            so_far.characters_cached + event.characters - _spoken(event),
        )
    return days


def _quarters(events: Iterable[GenerationCompleted]) -> dict[Quarter, Use]:
    used: dict[Quarter, Use] = defaultdict(Use)
    for event in events:
        spoken = _spoken(event)
        used[UUID(event.org_id), quarter_of(time_of(event.completed_at)), _whose(event)] += Use(
            Decimal(spoken),
            Decimal(round(event.duration_seconds * 1000)) / 1000,
            1,
            Decimal(event.characters - spoken),
        )
    return used


def _recorded(entry: Entry) -> UsageRecorded:
    return UsageRecorded(
        usage_id=str(entry.id),
        org_id=str(entry.org_id),
        unit=str(entry.unit),
        quantity=float(entry.quantity),
        resource_id=str(entry.resource_id),
        recorded_at=entry.at,
    )


@projection(GenerationFailed, gather_seconds=GATHER_SECONDS)
async def release_failed(session: AsyncSession, events: Sequence[GenerationFailed]) -> None:
    """What failed is not billed."""
    await _release(session, [(UUID(event.generation_id), UUID(event.org_id)) for event in events])


@projection(GenerationCanceled, gather_seconds=GATHER_SECONDS)
async def release_canceled(session: AsyncSession, events: Sequence[GenerationCanceled]) -> None:
    """What was canceled is not billed."""
    await _release(session, [(UUID(event.generation_id), UUID(event.org_id)) for event in events])


@projection(GenerationDeleted, gather_seconds=GATHER_SECONDS)
async def release_deleted(session: AsyncSession, events: Sequence[GenerationDeleted]) -> None:
    """What was deleted before it was spoken is not billed; what was spoken stays billed."""
    await _release(session, [(UUID(event.generation_id), UUID(event.org_id)) for event in events])


async def _release(session: AsyncSession, ended: Sequence[tuple[UUID, UUID]]) -> None:
    await store.release_reservations(session, ended)
