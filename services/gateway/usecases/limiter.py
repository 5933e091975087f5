"""Lets requests in as far as plans allow, on all replicas together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from uuid import UUID

from opentelemetry.instrumentation.utils import suppress_instrumentation

from libs.database import Database, is_database_away
from libs.ids import new_id
from services.gateway.domain.access import Credential
from services.gateway.domain.limits import (
    CONCURRENCY,
    KEY,
    ORGANIZATION,
    SECOND,
    LimitReached,
    PlanLimits,
    Standing,
    whole_seconds,
)
from services.gateway.domain.organizations import Plan
from services.gateway.store import limits as store
from services.gateway.usecases.supplies import SLOT_SECONDS, Bucket, Slots

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 0.5
AWAY_SECONDS = 1.0
"""How long a database that is away is not asked again."""
UPKEEP_SECONDS = 1.0
FORGET_SECONDS = 600.0
IDLE_SECONDS = 60.0
"""How long what nobody uses is remembered here."""
ASKED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Admission:
    """A request that was let in: it counts as in flight until `Limiter.release`."""

    limits: PlanLimits
    key: Bucket
    organization: Bucket
    slots: Slots


class Limiter:
    """Counts in supplies taken from the database, so that a busy key costs few round trips.

    However many replicas there are, no more requests are let in than the limits allow. While the database is away,
    each replica goes on alone from what it last knew: the limits then hold for each of them.
    """

    def __init__(
        self,
        database: Database,
        plans: Mapping[Plan, PlanLimits],
        *,
        clock: Callable[[], float] = time.monotonic,
        replica: UUID | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """`clock` counts seconds and never goes back; a database that takes longer than `answer_seconds` is away."""
        self._database = database
        self._plans = plans
        self._clock = clock
        self._answer_seconds = answer_seconds
        self._replica = replica or new_id()
        self._admissions: dict[UUID, Admission] = {}
        self._organizations: dict[UUID, tuple[Bucket, Slots]] = {}
        self._wanted: dict[UUID, Bucket] = {}
        self._answered: asyncio.Future[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._tending = asyncio.Lock()
        self._pending: asyncio.Task[list[store.Share]] | None = None
        self._away_until = 0.0

    async def admit(self, credential: Credential) -> Admission:
        """Let a request in; raises LimitReached. `release` it when its answer has ended."""
        now = self._clock()
        admission = self._admissions.get(credential.key_id)
        if admission is None or admission.limits is not self._plans[credential.plan]:
            admission = self._remember(credential, now)
        key, organization, slots = admission.key, admission.organization, admission.slots
        is_answered = False
        while not (key.has_cell(now) and organization.has_cell(now) and slots.has_one(now)):
            self._refuse(admission, now, is_answered)
            await self._supplied(admission, now)
            is_answered = True
            now = self._clock()
        key.take(now)
        organization.take(now)
        slots.enter()
        return admission

    def limits_of(self, credential: Credential) -> PlanLimits:
        """Return what a caller's plan allows."""
        return self._plans[credential.plan]

    def release(self, admission: Admission) -> None:
        """Say that the answer has ended."""
        admission.slots.leave()

    def standings(self, admission: Admission) -> list[Standing]:
        """Return how the caller stands with each policy."""
        now = self._clock()
        return [
            _standing(KEY, admission.key, now),
            _standing(ORGANIZATION, admission.organization, now),
            Standing(CONCURRENCY, admission.slots.free),
        ]

    async def run(self) -> None:
        """Give back what is not used, and confirm what is; until cancelled."""
        forget_at = 0.0
        while True:
            await asyncio.sleep(UPKEEP_SECONDS)
            now = self._clock()
            await self._tend([bucket for bucket in self._buckets() if bucket.needs_care(now)])
            self._forget_idle(now)
            if now >= forget_at:
                forget_at = now + FORGET_SECONDS
                await self._delete_full_buckets()

    async def close(self) -> None:
        """Give everything back."""
        await self._tend(self._buckets(), giving_up=True)

    def _remember(self, credential: Credential, now: float) -> Admission:
        limits = self._plans[credential.plan]
        known = self._organizations.get(credential.org_id)
        if known is None:
            slots = Slots(limits.concurrent)
            known = (Bucket(credential.org_id, limits.organization, now, slots), slots)
            self._organizations[credential.org_id] = known
        organization, slots = known
        # A plan that changed applies to what comes; what is in flight stays.
        organization.rate, slots.limit = limits.organization, limits.concurrent
        admission = Admission(limits, Bucket(credential.key_id, limits.key, now), organization, slots)
        self._admissions[credential.key_id] = admission
        return admission

    def _refuse(self, admission: Admission, now: float, is_answered: bool) -> None:
        """Raise LimitReached where the answer is known to be no.

        For a request for which the database has been asked this one answer counts, however long it took to come:
        who asks again for what others got waits ever longer, with ever more who wait beside.
        """
        limits = admission.limits
        for name, bucket in ((KEY, admission.key), (ORGANIZATION, admission.organization)):
            if not bucket.has_cell(now) and (now < bucket.refused_until or (is_answered and bucket.is_empty)):
                wait = whole_seconds(int((bucket.next_at - now) * SECOND))
                raise LimitReached(name, bucket.rate.requests, wait, self.standings(admission))
        slots = admission.slots
        if not slots.has_one(now) and (now < slots.refused_until or (is_answered and slots.are_taken)):
            raise LimitReached(CONCURRENCY, limits.concurrent, 1, self.standings(admission))

    async def _supplied(self, admission: Admission, now: float) -> None:
        """Wait for an answer about what the request lacks."""
        key, organization = admission.key, admission.organization
        lacking: list[Bucket] = [] if key.has_cell(now) else [key]
        if not (organization.has_cell(now) and admission.slots.has_one(now)):
            lacking.append(organization)
        for bucket in lacking:
            bucket.waiting += 1
            self._wanted[bucket.id] = bucket
        loop = asyncio.get_running_loop()
        if self._answered is None:
            self._answered = loop.create_future()
        answered = self._answered
        if self._asking is None:
            # In a context of its own: it works for many requests, and is in the trace of none.
            self._asking = loop.create_task(self._ask_all(), context=Context())
        try:
            await asyncio.shield(answered)
        finally:
            for bucket in lacking:
                bucket.waiting -= 1

    async def _ask_all(self) -> None:
        """Ask until nobody waits: one question at a time, for all who wait when it is asked."""
        while self._answered is not None:
            answered, self._answered = self._answered, None
            wanted, self._wanted = list(self._wanted.values()), {}
            try:
                await self._tend(wanted)
            except Exception as error:  # noqa: BLE001 - those who wait are told
                answered.set_exception(error)
                # Should all of them have gone away, nobody is left to be told.
                answered.exception()
            else:
                answered.set_result(None)
        self._asking = None

    async def _tend(self, buckets: Sequence[Bucket], *, giving_up: bool = False) -> None:
        for start in range(0, len(buckets), ASKED_AT_ONCE):
            part = {bucket.id: bucket for bucket in buckets[start : start + ASKED_AT_ONCE]}
            async with self._tending:
                now = self._clock()
                wanted = {one.id: one.gives_up() if giving_up else one.wants(now) for one in part.values()}
                shares = await self._take(list(wanted.values()))
                now = self._clock()
                for share in shares or ():
                    part[share.id].supply(wanted[share.id], share, now)
                for bucket in part.values() if shares is None else ():
                    bucket.supply_alone(wanted[bucket.id], now)

    async def _take(self, wanted: Sequence[store.Wanted]) -> list[store.Share] | None:
        """Ask the database; None when it is away."""
        if self._clock() < self._away_until or (self._pending is not None and not self._pending.done()):
            return None
        # Not cut short when it takes too long: a connection on which nothing comes back takes long to give up, too.
        self._pending = asyncio.create_task(self._take_shares(wanted))
        done, _ = await asyncio.wait([self._pending], timeout=self._answer_seconds)
        error: BaseException | None = self._pending.exception() if done else TimeoutError()
        if error is None:
            return self._pending.result()
        if not isinstance(error, TimeoutError) and not is_database_away(error):
            raise error
        self._pending.add_done_callback(_retrieved)
        self._away_until = self._clock() + AWAY_SECONDS
        logger.warning("limits are counted by this replica alone", extra={"error": type(error).__name__})
        return None

    async def _take_shares(self, wanted: Sequence[store.Wanted]) -> list[store.Share]:
        with suppress_instrumentation():
            async with self._database.transaction() as session:
                return await store.take_shares(session, self._replica, wanted, SLOT_SECONDS)

    async def _delete_full_buckets(self) -> None:
        try:
            async with self._database.transaction() as session:
                await store.delete_full_buckets(session)
        except Exception as error:
            if not is_database_away(error):
                raise

    def _buckets(self) -> list[Bucket]:
        return [
            *(admission.key for admission in self._admissions.values()),
            *(bucket for bucket, _ in self._organizations.values()),
        ]

    def _forget_idle(self, now: float) -> None:
        idle_since = now - IDLE_SECONDS
        for org_id, (bucket, _) in list(self._organizations.items()):
            if bucket.is_idle_since(idle_since):
                del self._organizations[org_id]
        for key_id, admission in list(self._admissions.items()):
            # With its organisation's: two of one organisation would be counted as two.
            if admission.key.is_idle_since(idle_since) or admission.organization.id not in self._organizations:
                del self._admissions[key_id]


def _standing(policy: str, bucket: Bucket, now: float) -> Standing:
    wait = int((bucket.next_at - now) * SECOND)
    return Standing(policy, bucket.remaining(now), whole_seconds(max(wait, bucket.rate.interval)))


def _retrieved(task: asyncio.Task[list[store.Share]]) -> None:
    if not task.cancelled():
        task.exception()
