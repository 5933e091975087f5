"""Organisations with people and keys, for tests of who may do what."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from libs.apikeys import new_api_key
from libs.database import Database
from libs.ids import new_id
from services.gateway.domain.access import Role, Scope
from services.gateway.domain.credentials import digest_of, shown_prefix
from services.gateway.domain.keys import ApiKey
from services.gateway.store import organizations as store


@dataclass(frozen=True)
class Person:
    """A member with a key."""

    org_id: UUID
    user_id: UUID
    key_id: UUID
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


async def new_person(
    database: Database,
    org_id: UUID,
    role: Role,
    *,
    scopes: Collection[Scope] | None = None,
    expires_at: datetime | None = None,
) -> Person:
    """Write down a member of an organisation that is there, with a key."""
    person = Person(org_id, new_id(), new_id(), new_api_key())
    now = datetime.now(UTC)
    async with database.transaction(org_id) as session:
        await store.insert_user(session, person.user_id, f"{person.user_id}@example.org", role.title(), now)
        await store.insert_membership(session, org_id, person.user_id, role, now)
        key = ApiKey(
            id=person.key_id,
            org_id=org_id,
            name=f"Key of the {role}",
            prefix=shown_prefix(person.key),
            digest=digest_of(person.key),
            created_at=now,
            user_id=person.user_id,
            role=None,
            scopes=frozenset(scopes) if scopes is not None else None,
            expires_at=expires_at,
        )
        await store.insert_key(session, key)
    return person
