"""People: invited, joining, given roles, going; and organisations, which the operator makes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from libs.database import Database
from libs.ids import new_id
from services.gateway.domain.access import Role, Scope
from services.gateway.domain.members import token_digest
from services.gateway.domain.organizations import FIRST_ORGANIZATION_ID
from services.gateway.store import organizations as store
from services.gateway.store.members import invitations
from tests.integration.gateway.access import Person, new_person
from tests.integration.gateway.asking import Api, Json
from tests.integration.gateway.conftest import new_tenant


async def _invite(api: Api, person: Person, email: str = "ada@example.org", **more: object) -> Json:
    status, made = await api(person.key, "POST", "/v1/invitations", {"email": email, **more})
    assert status == 201, made
    return made


async def test_somebody_is_invited_and_joins(api: Api, owner: Person, database: Database) -> None:
    made = await _invite(api, owner, role="viewer", expires_in_days=30)
    token = made.pop("token")
    listed = (await api(owner.key, "GET", "/v1/invitations"))[1]
    assert listed["items"] == [made]
    async with database.transaction(owner.org_id) as session:
        kept = (await session.execute(select(invitations))).one()
    assert kept.hash == token_digest(token)
    assert token not in str(kept)

    status, joined = await api(None, "POST", "/v1/invitations/accept", {"token": token, "name": "Ada"})
    assert (status, joined["organization"], joined["role"]) == (201, "Tenant", "viewer")
    current = (await api(joined["key"]["key"], "GET", "/v1/keys/current"))[1]
    assert (current["user_id"], current["role"]) == (joined["user_id"], "viewer")
    member = (await api(owner.key, "GET", f"/v1/members/{joined['user_id']}"))[1]
    assert (member["email"], member["name"], member["role"]) == ("ada@example.org", "Ada", "viewer")
    assert (await api(owner.key, "GET", "/v1/invitations"))[1]["items"] == []
    # Once only, and nobody is invited who is there.
    again = await api(None, "POST", "/v1/invitations/accept", {"token": token, "name": "Eve"})
    assert (again[0], again[1]["code"]) == (404, "invitation_not_found")
    status, told = await api(owner.key, "POST", "/v1/invitations", {"email": "ADA@example.org"})
    assert (status, told["code"]) == (409, "already_member")


async def test_of_many_at_once_one_joins(api: Api, owner: Person) -> None:
    token = (await _invite(api, owner))["token"]
    body = {"token": token, "name": "Ada"}
    answers = await asyncio.gather(*(api(None, "POST", "/v1/invitations/accept", body) for _ in range(8)))
    assert sorted(status for status, _ in answers) == [201, *[404] * 7]
    assert len((await api(owner.key, "GET", "/v1/members"))[1]["items"]) == 2


async def test_unknown_expired_and_revoked_invitations_are_alike(api: Api, owner: Person, database: Database) -> None:
    expired, revoked = await _invite(api, owner), await _invite(api, owner)
    past = datetime.now(UTC) - timedelta(seconds=1)
    async with database.transaction(owner.org_id) as session:
        this = invitations.c.id == expired["id"]
        await session.execute(update(invitations).where(this).values(expires_at=past, created_at=past))
    path = f"/v1/invitations/{revoked['id']}"
    assert [(await api(owner.key, "DELETE", path))[0] for _ in range(2)] == [204, 404]
    told = []
    for token in ("inv_unknown", "é", expired["token"], revoked["token"]):
        status, problem = await api(None, "POST", "/v1/invitations/accept", {"token": token, "name": "Eve"})
        told.append((status, {name: problem[name] for name in ("code", "title", "detail")}))
    assert told[0][0] == 404
    assert all(one == told[0] for one in told)


async def test_who_is_in_one_organisation_joins_another(api: Api, owner: Person, database: Database) -> None:
    other = await new_tenant(database)
    guest = await new_person(database, other.org_id, Role.MEMBER)
    email = f"{guest.user_id}@example.org"
    invited = await _invite(api, owner, email, role="admin")
    for key, token, code in (
        (other.key, invited["token"], "not_a_person"),
        (guest.key, "inv_unknown", "invitation_not_found"),
        (guest.key, (await _invite(api, owner))["token"], "invited_somebody_else"),
    ):
        assert (await api(key, "POST", "/v1/invitations/join", {"token": token}))[1]["code"] == code
    status, joined = await api(guest.key, "POST", "/v1/invitations/join", {"token": invited["token"]})
    assert (status, joined["user_id"], joined["role"]) == (201, str(guest.user_id), "admin")
    here, there = [(await api(key, "GET", "/v1/keys/current"))[1] for key in (joined["key"]["key"], guest.key)]
    assert ((here["role"], here["organization"]), there["role"]) == (("admin", "Tenant"), "member")
    # Going from one leaves the other as it was.
    assert (await api(owner.key, "DELETE", f"/v1/members/{guest.user_id}"))[0] == 204
    assert (await api(joined["key"]["key"], "GET", "/v1/keys/current"))[0] == 401
    assert (await api(guest.key, "GET", "/v1/keys/current"))[0] == 200


async def test_who_goes_loses_their_keys_at_once(api: Api, owner: Person, database: Database) -> None:
    person = await new_person(database, owner.org_id, Role.MEMBER)
    _, second = await api(person.key, "POST", "/v1/keys", {"name": "Second"})
    path = f"/v1/members/{person.user_id}"
    assert (await api(owner.key, "DELETE", path))[0] == 204
    for key in (person.key, second["key"]):
        assert (await api(key, "GET", "/v1/keys/current"))[0] == 401
    assert (await api(owner.key, "DELETE", path))[1]["code"] == "member_not_found"
    async with database.transaction(owner.org_id) as session:
        ended = await session.execute(
            text("select count(*) from api_keys where user_id = :id and revoked_at is null"), {"id": person.user_id}
        )
        assert ended.scalar_one() == 0
        # Nobody's member any more: forgotten. Joining again in a transaction is all that would let them be seen.
        await session.execute(text("savepoint here"))
        with pytest.raises(Exception, match="foreign key"):
            await store.insert_membership(session, owner.org_id, person.user_id, Role.VIEWER, datetime.now(UTC))
        await session.execute(text("rollback to savepoint here"))


async def test_an_organisation_keeps_an_owner(api: Api, owner: Person, database: Database) -> None:
    path = f"/v1/members/{owner.user_id}"
    for method, body in (("PATCH", {"role": "admin"}), ("DELETE", None)):
        status, told = await api(owner.key, method, path, body)
        assert (status, told["code"]) == (409, "last_owner")
    second = await new_person(database, owner.org_id, Role.OWNER)
    assert (await api(owner.key, "PATCH", path, {"role": "viewer"}))[1]["role"] == "viewer"
    assert (await api(owner.key, "PATCH", path, {"role": "owner"}))[0] == 403
    assert (await api(second.key, "DELETE", f"/v1/members/{second.user_id}"))[1]["code"] == "last_owner"


async def test_of_two_owners_who_step_down_at_once_one_stays(api: Api, owner: Person, database: Database) -> None:
    second = await new_person(database, owner.org_id, Role.OWNER)
    answers = await asyncio.gather(
        *(api(one.key, "PATCH", f"/v1/members/{one.user_id}", {"role": "viewer"}) for one in (owner, second))
    )
    assert sorted(status for status, _ in answers) == [200, 409]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/v1/members/{owner}", {"role": "viewer"}),
        ("DELETE", "/v1/members/{owner}", None),
        ("PATCH", "/v1/members/{member}", {"role": "owner"}),
        ("POST", "/v1/invitations", {"email": "eve@example.org", "role": "owner"}),
    ],
)
async def test_an_administrator_makes_and_touches_no_owner(
    api: Api, owner: Person, database: Database, method: str, path: str, body: Json | None
) -> None:
    admin, member = [await new_person(database, owner.org_id, role) for role in (Role.ADMIN, Role.MEMBER)]
    target = path.format(owner=owner.user_id, member=member.user_id)
    status, told = await api(admin.key, method, target, body)
    assert (status, told["code"]) == (403, "beyond_own_access")


async def test_strangers_see_nobody(api: Api, owner: Person, database: Database) -> None:
    invited = await _invite(api, owner)
    stranger = await new_person(database, (await new_tenant(database)).org_id, Role.OWNER)
    for method, path, body in (
        ("GET", f"/v1/members/{owner.user_id}", None),
        ("PATCH", f"/v1/members/{owner.user_id}", {"role": "viewer"}),
        ("DELETE", f"/v1/members/{owner.user_id}", None),
        ("DELETE", f"/v1/invitations/{invited['id']}", None),
        ("DELETE", f"/v1/invitations/{new_id()}", None),
        ("GET", "/v1/members/nonsense", None),
    ):
        assert (await api(stranger.key, method, path, body))[0] == 404
    assert [one["user_id"] for one in (await api(stranger.key, "GET", "/v1/members"))[1]["items"]] == [
        str(stranger.user_id)
    ]
    assert (await api(stranger.key, "GET", "/v1/invitations"))[1]["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"email": "nobody"},
        {"email": "a@b@c"},
        {"email": "a b@c"},
        {"email": "a@b\n"},
        {"email": "a@b", "role": "king"},
        {"email": "a@b", "expires_in_days": 31},
    ],
)
async def test_what_is_no_invitation_is_refused(api: Api, owner: Person, body: Json) -> None:
    assert (await api(owner.key, "POST", "/v1/invitations", body))[0] == 422


async def test_the_operator_makes_organisations(api: Api, operator: Person, owner: Person, database: Database) -> None:
    wanted = {"name": "Another", "plan": "pro", "owner": {"email": "ada@example.org", "name": "Ada"}}
    status, made = await api(operator.key, "POST", "/v1/organizations", wanted)
    assert (status, made["organization"], made["role"]) == (201, "Another", "owner")
    key = made["key"]["key"]
    assert (await api(key, "GET", "/v1/organization"))[1]["plan"] == "pro"
    assert (await api(key, "PATCH", "/v1/organization", {"name": "Renamed"}))[1]["name"] == "Renamed"
    assert (await api(key, "GET", "/v1/keys/current"))[1]["organization"] == "Renamed"
    assert [one["email"] for one in (await api(key, "GET", "/v1/members"))[1]["items"]] == ["ada@example.org"]
    admin = await new_person(database, FIRST_ORGANIZATION_ID, Role.ADMIN)
    for refused in (key, owner.key, admin.key):
        assert (await api(refused, "POST", "/v1/organizations", wanted))[1]["code"] == "not_operator"


async def test_a_narrow_key_of_an_owner_manages_nobody(api: Api, owner: Person, database: Database) -> None:
    narrow = await new_person(database, owner.org_id, Role.OWNER, scopes=[Scope.ORGANIZATION_READ])
    status, told = await api(narrow.key, "POST", "/v1/invitations", {"email": "a@b"})
    assert (status, told["scope"]) == (403, "organization:write")
