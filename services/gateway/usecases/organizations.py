"""Who gets in, and the first organisation."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from libs import outbox
from libs.apikeys import is_well_formed
from libs.contracts.antiphon.gateway.v1.events_pb2 import ApiKeyCreated, OrganizationCreated
from libs.database import Database
from libs.ids import new_id
from services.gateway.domain.access import Credential, Role
from services.gateway.domain.credentials import digest_of, shown_prefix
from services.gateway.domain.keys import ApiKey
from services.gateway.domain.organizations import (
    FIRST_ORGANIZATION_ID,
    FIRST_ORGANIZATION_NAME,
    FIRST_ORGANIZATION_PLAN,
    Organization,
)
from services.gateway.store import organizations as store
from services.gateway.store.audit import append

logger = logging.getLogger(__name__)

USE_RESOLUTION = timedelta(minutes=5)
"""How exactly `last_used_at` is kept: a busy key costs one small write in this time."""


class MalformedBootstrapKey(Exception):
    """The file of the first key holds something else."""


async def authenticate(database: Database, clock: Callable[[], datetime], digest: bytes) -> Credential | None:
    """Return what the key with this digest says; None when it opens nothing."""
    async with database.transaction() as session:
        key = await store.get_valid_key(session, digest)
    if key is None:
        return None
    now = clock()
    if key.last_used_at is None or now - key.last_used_at > USE_RESOLUTION:
        async with database.transaction(key.org_id) as session:
            await store.save_key_use(session, key.id, now)
    return Credential(
        org_id=key.org_id,
        key_id=key.id,
        user_id=key.user_id,
        scopes=key.scopes,
        plan=key.plan,
        role=key.role,
        valid_seconds=key.valid_seconds,
    )


async def ensure_first_organization(database: Database, clock: Callable[[], datetime], key: str) -> None:
    """Make `key` open the door, for the first organisation, which is created if it is missing.

    Safe to repeat and to run in several replicas at once: who comes second finds the work done. A key that was
    revoked stays revoked. Raises MalformedBootstrapKey.
    """
    if not is_well_formed(key):
        raise MalformedBootstrapKey(
            "ANTIPHON_BOOTSTRAP_KEY_FILE holds no API key; make one with "
            "python -c 'from libs.apikeys import new_api_key; print(new_api_key())'"
        )
    digest, now = digest_of(key), clock()
    async with database.transaction(FIRST_ORGANIZATION_ID) as session:
        if await store.get_valid_key(session, digest) is not None:
            return
        organization = Organization(
            id=FIRST_ORGANIZATION_ID, name=FIRST_ORGANIZATION_NAME, plan=FIRST_ORGANIZATION_PLAN, created_at=now
        )
        if await store.insert_organization(session, organization):
            outbox.add(session, organization_created(organization))
        first = ApiKey(
            id=new_id(),
            org_id=organization.id,
            name="First key",
            prefix=shown_prefix(key),
            digest=digest,
            created_at=now,
        )
        if await store.insert_key(session, first):
            outbox.add(session, key_created(first))
            made = {"key_id": str(first.id), "owner": "organization", "role": Role.OWNER.value}
            await append(session, first.org_id, "key.created", at=now, key_id=None, user_id=None, details=made)
        else:
            logger.warning("the bootstrap key is known but not valid; it was revoked, or came up this moment")


def organization_created(organization: Organization) -> OrganizationCreated:
    """Return the event that tells of a new organisation."""
    return OrganizationCreated(
        org_id=str(organization.id),
        name=organization.name,
        plan=organization.plan,
        created_at=organization.created_at,
    )


def key_created(key: ApiKey) -> ApiKeyCreated:
    """Return the event that tells of a new key."""
    return ApiKeyCreated(key_id=str(key.id), org_id=str(key.org_id), prefix=key.prefix, created_at=key.created_at)
