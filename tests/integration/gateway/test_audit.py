"""The audit log: all that changes access is in it, and nobody changes it unnoticed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from deploy.embedded.credentials import POSTGRES_ADMIN
from libs.database import Database
from services.gateway.domain.access import Role
from services.gateway.store.audit import audit_log
from tests.integration.gateway.access import Person, new_person
from tests.integration.gateway.asking import Api
from tests.integration.gateway.conftest import Tenant, new_tenant
from tests.support.servers import Servers


@pytest.fixture
async def superuser(servers: Servers) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(
        servers.admin_url, password=servers.secret(POSTGRES_ADMIN), database="antiphon_gateway"
    )
    await connection.execute("set session_replication_role = replica")  # no trigger holds a superuser
    yield connection
    await connection.close()


@pytest.fixture
async def owner(database: Database, tenant: Tenant, api: Api) -> Person:
    """An owner, and a log of six entries."""
    person = await new_person(database, tenant.org_id, Role.OWNER)
    for number in range(6):
        await api(person.key, "POST", "/v1/keys", {"name": f"Key {number}"})
    return person


async def _verified(api: Api, person: Person) -> tuple[bool, int, int | None]:
    status, told = await api(person.key, "GET", "/v1/audit/verification")
    assert status == 200
    return told["intact"], told["entries"], told["broken_at"]


async def test_it_tells_who_did_what_with_which_key(api: Api, database: Database, tenant: Tenant) -> None:
    owner = await new_person(database, tenant.org_id, Role.OWNER)
    _, key = await api(owner.key, "POST", "/v1/keys", {"name": "Secret name", "scopes": ["voices:read"]})
    _, successor = await api(owner.key, "POST", f"/v1/keys/{key['id']}/rotate", {"overlap_seconds": 60})
    await api(owner.key, "DELETE", f"/v1/keys/{key['id']}")
    _, invited = await api(owner.key, "POST", "/v1/invitations", {"email": "ada@example.org", "role": "viewer"})
    accepting = {"token": invited["token"], "name": "Ada"}
    _, joined = await api(None, "POST", "/v1/invitations/accept", accepting)
    member = f"/v1/members/{joined['user_id']}"
    await api(owner.key, "PATCH", member, {"role": "member"})
    await api(owner.key, "DELETE", member)
    _, revoked = await api(owner.key, "POST", "/v1/invitations", {"email": "eve@example.org"})
    await api(owner.key, "DELETE", f"/v1/invitations/{revoked['id']}")
    await api(owner.key, "PATCH", "/v1/organization", {"name": "Renamed"})

    status, listed = await api(owner.key, "GET", "/v1/audit")
    assert status == 200
    entries = listed["items"][::-1]
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry["action"] for entry in entries] == [
        "key.created",
        "key.rotated",
        "key.revoked",
        "invitation.created",
        "invitation.accepted",
        "member.role_changed",
        "member.removed",
        "invitation.created",
        "invitation.revoked",
        "organization.renamed",
    ]
    by_owner = [entry for entry in entries if entry["action"] != "invitation.accepted"]
    assert {(entry["user_id"], entry["key_id"]) for entry in by_owner} == {(str(owner.user_id), str(owner.key_id))}
    assert entries[0]["details"]["scopes"] == ["voices:read"]
    assert entries[1]["details"]["rotated_from"] == key["id"]
    assert entries[5]["details"] == {"user_id": joined["user_id"], "from": "viewer", "to": "member"}
    everything = str(entries)
    for kept_out in ("example.org", "Ada", "Secret name", key["key"], successor["key"], invited["token"]):
        assert kept_out not in everything
    assert await _verified(api, owner) == (True, len(entries), None)


async def test_it_is_read_in_pages_and_by_its_organisation_alone(api: Api, database: Database, owner: Person) -> None:
    first = (await api(owner.key, "GET", "/v1/audit?limit=4"))[1]
    rest = (await api(owner.key, "GET", f"/v1/audit?limit=4&cursor={first['next_cursor']}"))[1]
    assert [entry["seq"] for page in (first, rest) for entry in page["items"]] == [6, 5, 4, 3, 2, 1]
    assert rest["next_cursor"] is None
    stranger = await new_person(database, (await new_tenant(database)).org_id, Role.OWNER)
    assert (await api(stranger.key, "GET", "/v1/audit"))[1]["items"] == []
    member = await new_person(database, owner.org_id, Role.MEMBER)
    assert (await api(member.key, "GET", "/v1/audit"))[0] == 403


async def test_the_service_can_neither_change_nor_delete(api: Api, database: Database, owner: Person) -> None:
    async with database.transaction(owner.org_id) as session:
        changing = update(audit_log).values(action="nothing").returning(audit_log.c.seq)
        with pytest.raises(DBAPIError, match="append-only"):
            await session.execute(changing)
        await session.execute(text("rollback"))
        await session.execute(text("begin"))
        with pytest.raises(DBAPIError, match="append-only"):
            await session.execute(delete(audit_log))
    assert await _verified(api, owner) == (True, 6, None)


@pytest.mark.parametrize(
    "statement", ["update audit_log set action = 'x'", "delete from audit_log", "truncate audit_log"]
)
async def test_the_owner_does_not_change_it_by_mistake(servers: Servers, schema: None, statement: str) -> None:
    password = servers.service_database("gateway").owner_password
    connection = await asyncpg.connect(servers.url("owner", "gateway"), password=password)
    try:
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("tampering", "broken_at"),
    [
        ("update audit_log set details = details || '{\"scopes\": []}' where org_id = $1 and seq = 3", 3),
        ("update audit_log set at = at + interval '1 microsecond' where org_id = $1 and seq = 1", 1),
        ("update audit_log set user_id = null where org_id = $1 and seq = 6", 6),
        ("delete from audit_log where org_id = $1 and seq = 4", 4),
        ("delete from audit_log where org_id = $1 and seq = 6", 6),
        ("delete from audit_log where org_id = $1", 1),
        ("delete from audit_heads where org_id = $1", 1),
        (
            "update audit_log set hash = sha256('forged'), action = 'forged' where org_id = $1 and seq = 2",
            2,
        ),
    ],
)
async def test_tampering_is_found_where_it_was_done(
    api: Api,
    owner: Person,
    superuser: asyncpg.Connection[asyncpg.Record],
    tampering: str,
    broken_at: int,
) -> None:
    assert await _verified(api, owner) == (True, 6, None)
    assert not (await superuser.execute(tampering, owner.org_id)).endswith(" 0")
    assert await _verified(api, owner) == (False, broken_at - 1, broken_at)


async def _command(servers: Servers, org_id: UUID) -> tuple[int | None, dict[str, object]]:
    """The exit status of `antiphon audit verify --json`, and what it says of an organisation."""
    url = make_url(servers.admin_url).set(password=servers.secret(POSTGRES_ADMIN))
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli.main", "audit", "verify", "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "ANTIPHON_POSTGRES_ADMIN_URL": url.render_as_string(hide_password=False)},
    )
    out, errors = await command.communicate()
    assert not errors, errors
    found: dict[str, dict[str, object]] = {told["organization"]: told for told in map(json.loads, out.splitlines())}
    return command.returncode, found[str(org_id)]


async def test_the_operator_checks_all_logs_at_once(
    api: Api, owner: Person, superuser: asyncpg.Connection[asyncpg.Record], servers: Servers
) -> None:
    _, intact = await _command(servers, owner.org_id)
    head = await superuser.fetchval("select hash from audit_heads where org_id = $1", owner.org_id)
    assert intact == {"organization": str(owner.org_id), "entries": 6, "broken_at": None, "hash": head.hex()}
    await superuser.execute("update audit_log set action = 'x' where org_id = $1 and seq = 4", owner.org_id)
    status, broken = await _command(servers, owner.org_id)
    assert (status, broken["entries"], broken["broken_at"]) == (1, 3, 4)


async def test_who_writes_at_once_writes_one_chain(api: Api, owner: Person) -> None:
    await asyncio.gather(*(api(owner.key, "POST", "/v1/keys", {"name": "Key"}) for _ in range(10)))
    assert await _verified(api, owner) == (True, 16, None)
