"""Keys: made, listed, renamed, replaced, revoked; none can give more than its maker has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from libs.database import Database
from libs.ids import new_id
from services.gateway.domain.access import Role, Scope
from services.gateway.domain.credentials import digest_of
from services.gateway.store import organizations as store
from tests.integration.gateway.access import new_person
from tests.integration.gateway.asking import Api, Json
from tests.integration.gateway.conftest import Tenant, new_tenant


async def test_a_key_lives(api: Api, tenant: Tenant, database: Database) -> None:
    wanted = {"name": "Narrow", "scopes": ["voices:read", "keys:read"]}
    status, made = await api(tenant.key, "POST", "/v1/keys", wanted)
    assert (status, made["name"], made["scopes"]) == (201, "Narrow", ["keys:read", "voices:read"])
    assert (made["owner"], made["user_id"], made["role"], made["expires_at"]) == ("organization", None, "owner", None)
    async with database.transaction(tenant.org_id) as session:
        kept = (await session.execute(select(store.api_keys).where(store.api_keys.c.id == made["id"]))).one()
    assert kept.hash == digest_of(made["key"])
    assert made["key"] not in str(kept)

    secret = made.pop("key")
    status, current = await api(secret, "GET", "/v1/keys/current")
    assert (status, current["id"], current["organization"], current["plan"]) == (200, made["id"], "Tenant", "free")
    assert current["last_used_at"] is not None
    status, refused = await api(secret, "POST", "/v1/keys", {"name": "More"})
    assert (status, refused["code"], refused["scope"]) == (403, "scope_missing", "keys:write")

    status, listed = await api(tenant.key, "GET", "/v1/keys?limit=1")
    assert (status, [key["id"] for key in listed["items"]]) == (200, [made["id"]])
    rest = (await api(tenant.key, "GET", f"/v1/keys?limit=1&cursor={listed['next_cursor']}"))[1]
    assert ([key["id"] for key in rest["items"]], rest["next_cursor"]) == ([str(tenant.key_id)], None)
    assert "key" not in listed["items"][0]

    path = f"/v1/keys/{made['id']}"
    assert (await api(tenant.key, "PATCH", path, {"name": "Renamed"}))[1]["name"] == "Renamed"
    assert (await api(tenant.key, "GET", path))[1]["name"] == "Renamed"
    assert (await api(tenant.key, "DELETE", path))[0] == 204
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        assert (await api(tenant.key, method, path, body))[1]["code"] == "key_not_found"
    assert (await api(secret, "GET", "/v1/keys/current"))[0] == 401


async def test_what_a_person_makes_is_theirs_and_follows_their_role(
    api: Api, tenant: Tenant, database: Database
) -> None:
    person = await new_person(database, tenant.org_id, Role.MEMBER)
    _, made = await api(person.key, "POST", "/v1/keys", {"name": "Mine"})
    assert (made["owner"], made["user_id"], made["role"]) == ("user", str(person.user_id), "member")
    assert set(made["scopes"]) == Role.MEMBER.scopes
    mine = store.memberships.c.user_id == person.user_id
    async with database.transaction(tenant.org_id) as session:
        await session.execute(update(store.memberships).where(mine).values(role=Role.VIEWER))
    current = (await api(made["key"], "GET", "/v1/keys/current"))[1]
    assert (current["role"], current["scopes"]) == ("viewer", sorted(Role.VIEWER.scopes))
    async with database.transaction(tenant.org_id) as session:
        await session.execute(text("delete from memberships where user_id = :id"), {"id": person.user_id})
    assert (await api(made["key"], "GET", "/v1/keys/current"))[0] == 401


async def test_nobody_sees_or_changes_keys_that_are_not_theirs(api: Api, tenant: Tenant, database: Database) -> None:
    stranger = await new_tenant(database)
    owner, member, other = [
        await new_person(database, tenant.org_id, role) for role in (Role.OWNER, Role.MEMBER, Role.MEMBER)
    ]
    admin = await new_person(database, tenant.org_id, Role.ADMIN)
    for asking, target in (
        (stranger.key, member.key_id),
        (member.key, other.key_id),
        (member.key, tenant.key_id),
        (tenant.key, new_id()),
        (tenant.key, "nonsense"),
    ):
        for method, path, body in (
            ("GET", f"/v1/keys/{target}", None),
            ("PATCH", f"/v1/keys/{target}", {"name": "Mine"}),
            ("DELETE", f"/v1/keys/{target}", None),
            ("POST", f"/v1/keys/{target}/rotate", None),
        ):
            status, told = await api(asking, method, path, body)
            assert (status, told["code"]) == (404, "key_not_found"), (method, path)
    assert [key["id"] for key in (await api(member.key, "GET", "/v1/keys"))[1]["items"]] == [str(member.key_id)]
    assert len((await api(admin.key, "GET", "/v1/keys"))[1]["items"]) == 5
    # An administrator touches no owner's key, nor the organisation's with that role; others they may end.
    for target in (owner.key_id, tenant.key_id):
        assert (await api(admin.key, "DELETE", f"/v1/keys/{target}"))[1]["code"] == "beyond_own_access"
    assert (await api(admin.key, "DELETE", f"/v1/keys/{other.key_id}"))[0] == 204


@pytest.mark.parametrize(
    ("role", "scopes", "body", "field"),
    [
        (Role.OWNER, ["keys:write", "voices:read"], {"scopes": ["voices:write"]}, "scopes"),
        (Role.MEMBER, None, {"scopes": ["organization:write"]}, "scopes"),
        (Role.MEMBER, None, {"owner": "organization"}, "owner"),
        (Role.MEMBER, None, {"role": "owner"}, "role"),
        (Role.ADMIN, None, {"owner": "organization", "role": "owner"}, "role"),
    ],
)
async def test_a_key_gives_no_more_than_its_maker_has(
    api: Api, tenant: Tenant, database: Database, role: Role, scopes: list[Scope] | None, body: Json, field: str
) -> None:
    maker = await new_person(database, tenant.org_id, role, scopes=scopes)
    status, told = await api(maker.key, "POST", "/v1/keys", {"name": "More", **body})
    assert (status, told["code"], told["errors"][0]["field"]) == (403, "beyond_own_access", field)


async def test_what_is_not_said_is_as_with_the_maker(api: Api, tenant: Tenant, database: Database) -> None:
    end = datetime.now(UTC) + timedelta(hours=1)
    maker = await new_person(
        database, tenant.org_id, Role.OWNER, scopes=[Scope.KEYS_WRITE, Scope.VOICES_READ], expires_at=end
    )
    _, made = await api(maker.key, "POST", "/v1/keys", {"name": "Same", "owner": "organization"})
    assert (made["scopes"], made["role"]) == (["keys:write", "voices:read"], "owner")
    assert datetime.fromisoformat(made["expires_at"]) == end
    later = {"name": "Longer", "expires_at": (end + timedelta(seconds=1)).isoformat()}
    assert (await api(maker.key, "POST", "/v1/keys", later))[1]["errors"][0]["field"] == "expires_at"
    past = {"name": "Past", "expires_at": "2020-01-01T00:00:00Z"}
    assert (await api(maker.key, "POST", "/v1/keys", past))[0] == 422


async def test_an_expired_key_opens_nothing(api: Api, tenant: Tenant, database: Database) -> None:
    person = await new_person(database, tenant.org_id, Role.MEMBER, expires_at=datetime.now(UTC))
    assert (await api(person.key, "GET", "/v1/keys/current"))[0] == 401
    assert str(person.key_id) not in str(await api(tenant.key, "GET", "/v1/keys"))


async def test_a_key_is_replaced_while_the_old_one_goes_on(api: Api, tenant: Tenant, database: Database) -> None:
    person = await new_person(database, tenant.org_id, Role.MEMBER, scopes=[Scope.KEYS_WRITE, Scope.SPEECH_READ])
    path = f"/v1/keys/{person.key_id}/rotate"
    status, new = await api(person.key, "POST", path)
    assert (status, new["rotated_from"], new["scopes"]) == (201, str(person.key_id), ["keys:write", "speech:read"])
    assert new["user_id"] == str(person.user_id)
    old = (await api(person.key, "GET", "/v1/keys/current"))[1]
    assert timedelta(hours=23) < datetime.fromisoformat(old["expires_at"]) - datetime.now(UTC) < timedelta(hours=25)
    assert (await api(person.key, "POST", path, {"overlap_seconds": 604_801}))[0] == 422

    status, newest = await api(new["key"], "POST", f"/v1/keys/{new['id']}/rotate", {"overlap_seconds": 0})
    assert status == 201
    assert (await api(new["key"], "GET", "/v1/keys/current"))[0] == 401
    assert (await api(newest["key"], "GET", "/v1/keys/current"))[0] == 200
    # A successor's secret is for whom the key belongs to.
    assert (await api(tenant.key, "POST", f"/v1/keys/{newest['id']}/rotate"))[1]["code"] == "beyond_own_access"


async def test_a_narrow_key_does_not_replace_a_wide_one(api: Api, tenant: Tenant, database: Database) -> None:
    _, narrow = await api(tenant.key, "POST", "/v1/keys", {"name": "Narrow", "scopes": ["keys:write"]})
    status, told = await api(narrow["key"], "POST", f"/v1/keys/{tenant.key_id}/rotate")
    assert (status, told["code"]) == (403, "beyond_own_access")
