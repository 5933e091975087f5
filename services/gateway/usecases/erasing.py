"""An organisation goes: its doors are closed at once, and every service deletes what it has of it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationErasureRequested
from libs.messaging import tombstones
from services.gateway.adapters.key_changes import tell_changed_keys
from services.gateway.domain.access import Credential, Role, Scope
from services.gateway.domain.erasures import (
    GATEWAY,
    ROUNDS,
    Erasure,
    ErasureNotFound,
    NotConfirmed,
    OperatorStays,
    Report,
    waited_for,
)
from services.gateway.domain.keys import BeyondOwnAccess
from services.gateway.domain.organizations import FIRST_ORGANIZATION_ID
from services.gateway.store import erasures as store
from services.gateway.store.organizations import lock_organization
from services.gateway.usecases.acting import acting
from services.gateway.usecases.audit import record
from services.gateway.usecases.deps import Deps


async def erase_organization(deps: Deps, caller: Credential, name: str) -> UUID:
    """Delete the caller's organisation, whose `name` confirms that; return the id under which the report is found.

    Raises BeyondOwnAccess, NotConfirmed, OperatorStays.
    """
    now = deps.clock()
    async with deps.database.transaction(caller.org_id) as session:
        actor = (await acting(session, caller, Scope.ORGANIZATION_WRITE, now)).credential
        if actor.role != Role.OWNER:
            raise BeyondOwnAccess("role", "only owners erase an organisation")
        if actor.org_id == FIRST_ORGANIZATION_ID:
            raise OperatorStays
        organization = await lock_organization(session, actor.org_id)
        if organization is None or organization.name != name:
            raise NotConfirmed
        # Whoever is writing something of it is waited for: before anything is locked that they may need for that.
        await tombstones.bury(session, actor.org_id)
        # Random throughout: whoever knows it reads the report, as nobody will have a key.
        erasure_id = uuid4()
        await store.insert_erasure(session, erasure_id, actor.org_id, now)
        await record(session, actor, "organization.erased", now, {"erasure_id": str(erasure_id)})
        counts = await store.erase_organization(session, actor.org_id)
        await store.insert_report(session, erasure_id, actor.org_id, Report(GATEWAY, 1, counts, now))
        outbox.add(session, _request(actor.org_id, erasure_id, 1, now))
        tell_changed_keys(session)
        return erasure_id


async def collect_report(
    session: AsyncSession, org_id: UUID, erasure_id: UUID, report: Report, cause: Message | None
) -> None:
    """Keep what a service says; when all have answered, ask once more, and then be done."""
    erasure = await store.get_erasure(session, erasure_id, lock=True)
    if erasure is None:
        return
    await store.insert_report(session, erasure_id, org_id, report)
    if waited_for([*erasure.reports, report], report.round):
        return
    if not waited_for(erasure.reports, report.round):
        return  # all had answered before: this one says it again
    if report.round < ROUNDS:
        outbox.add(session, _request(org_id, erasure_id, report.round + 1, report.erased_at), cause=cause)
    else:
        # What was told of the organisation until now was on its way when the rest went.
        counts = await store.erase_archive(session, org_id)
        await store.insert_report(session, erasure_id, org_id, Report(GATEWAY, ROUNDS, counts, report.erased_at))
        await store.save_completed(session, erasure_id, report.erased_at)


async def get_erasure(deps: Deps, erasure_id: UUID) -> Erasure:
    """Return an erasure with all that is reported of it. Raises ErasureNotFound."""
    async with deps.database.transaction() as session:
        org_id = await store.find_erasure(session, erasure_id)
    if org_id is None:
        raise ErasureNotFound
    async with deps.database.transaction(org_id) as session:
        erasure = await store.get_erasure(session, erasure_id)
    if erasure is None:
        raise ErasureNotFound
    return erasure


def _request(org_id: UUID, erasure_id: UUID, of_round: int, now: datetime) -> OrganizationErasureRequested:
    return OrganizationErasureRequested(
        org_id=str(org_id), erasure_id=str(erasure_id), round=of_round, requested_at=now
    )
