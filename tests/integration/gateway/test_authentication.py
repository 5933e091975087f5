"""Who gets in."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import aiohttp
import pytest
from sqlalchemy import select, update

from libs.apikeys import new_api_key
from libs.database import Database
from libs.web.identity import HEADER as IDENTITY_HEADER
from libs.web.identity import verify
from services.gateway.domain.credentials import digest_of
from services.gateway.store import organizations as store
from services.gateway.usecases import organizations as usecases
from tests.integration.gateway.conftest import IDENTITY_KEYS, Tenant, new_tenant
from tests.integration.gateway.serving import Service

pytestmark = pytest.mark.usefixtures("voice_running")


async def _refused(gateway: str, headers: list[tuple[str, str]]) -> dict[str, object]:
    """What a refused client is told, without what differs from request to request."""
    async with aiohttp.ClientSession(gateway) as client, client.get("/v1/voices", headers=headers) as response:
        assert (response.status, response.content_type) == (401, "application/problem+json")
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="antiphon"'
        problem: dict[str, object] = await response.json()
        return {name: value for name, value in problem.items() if name not in ("request_id", "trace_id")}


async def test_nobody_gets_in_without_a_key(gateway: str, voice: Service, tenant: Tenant) -> None:
    unknown = new_api_key()
    told = [
        await _refused(gateway, headers)
        for headers in (
            [],
            [("Authorization", "")],
            [("Authorization", "Bearer")],
            [("Authorization", "Bearer nonsense")],
            [("Authorization", f"Bearer {unknown}")],
            [("Authorization", f"Bearer {unknown[:-1]}x")],
            [("Authorization", f"Basic {tenant.key}")],
            [("Authorization", tenant.key)],
            [("Authorization", f"Bearer {tenant.key} {tenant.key}")],
            [("Authorization", f"Bearer {tenant.key}"), ("Authorization", f"Bearer {tenant.key}")],
            [("X-Antiphon-Identity", "forged")],
        )
    ]
    assert all(one == told[0] for one in told), "one refusal looks like the other"
    assert told[0]["code"] == "unauthenticated"
    assert voice.seen == []


async def test_a_key_opens_the_door_for_its_organisation(
    gateway: str, voice: Service, tenant: Tenant, database: Database
) -> None:
    other = await new_tenant(database)
    async with aiohttp.ClientSession(gateway) as client:
        for one in (tenant, other):
            assert (await client.get("/v1/voices", headers=one.headers)).status == 200
            token = voice.last.header(IDENTITY_HEADER)
            assert token is not None
            assert verify(token, "voice", IDENTITY_KEYS["voice"]).org_id == one.org_id


async def test_a_revoked_key_opens_nothing(gateway: str, tenant: Tenant, database: Database) -> None:
    async with database.transaction(tenant.org_id) as session:
        await session.execute(
            update(store.api_keys).where(store.api_keys.c.id == tenant.key_id).values(revoked_at=datetime.now(UTC))
        )
    await _refused(gateway, list(tenant.headers.items()))


def _same(moment: datetime) -> datetime:
    return moment


async def test_the_use_of_a_key_is_noted_now_and_then(database: Database, tenant: Tenant) -> None:
    first = datetime(2026, 11, 21, 12, tzinfo=UTC)
    later = first + 2 * usecases.USE_RESOLUTION
    for moment, noted in ((first, first), (first + usecases.USE_RESOLUTION, first), (later, later)):
        caller = await usecases.authenticate(database, partial(_same, moment), digest_of(tenant.key))
        assert caller is not None
        assert (caller.org_id, caller.key_id) == (tenant.org_id, tenant.key_id)
        async with database.transaction(tenant.org_id) as session:
            query = select(store.api_keys.c.last_used_at).where(store.api_keys.c.id == tenant.key_id)
            assert (await session.execute(query)).scalar_one() == noted
