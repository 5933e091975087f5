"""An organisation goes from the whole stack: every row and every object of it, and of nobody else."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from libs.objectstore import ObjectStore, ObjectStoreAddress
from tests.chaos.books import database
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import Stack

SERVICES = ("voice", "generation", "storage", "embedding", "analytics", "gateway")
KEPT = {"audit_log", "audit_heads", "erasures", "erasure_reports", "key_changes", "erased_organizations"}
_TABLES = """
select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and a.attname = 'org_id'
"""


async def rows_of(stack: Stack, org_id: UUID) -> dict[str, int]:
    """Where rows of an organisation are, and how many."""
    found = {}
    for service in SERVICES:
        async with database(stack, service) as connection:
            for (table,) in await connection.fetch(_TABLES):
                rows = await connection.fetchval(f"select count(*) from {table} where org_id = $1", org_id)  # noqa: S608
                if rows and table not in KEPT:
                    found[f"{service}.{table}"] = rows
    return found


async def objects_of(stack: Stack, org_id: UUID) -> list[str]:
    exports = stack.exports()
    address = ObjectStoreAddress(
        exports["ANTIPHON_S3_ENDPOINT"],
        "us-east-1",
        "antiphon",
        (stack.home / "secrets" / "s3_access_key").read_text().strip(),
        (stack.home / "secrets" / "s3_secret_key").read_text().strip(),
    )
    objects = ObjectStore(address)
    try:
        kinds = ("exports", "generations", "voices")
        return [key for kind in kinds for key in await objects.list_keys(f"{kind}/orgs/{org_id}/", 100)]
    finally:
        await objects.close()


async def _organization(stack: Stack, name: str) -> UUID:
    async with database(stack, "gateway") as connection:
        org_id: UUID = await connection.fetchval("select id from organizations where name = $1", name)
        return org_id


async def _archived(stack: Stack, service: str, org_id: UUID) -> list[str]:
    """The kinds of events that are still kept for a replay."""
    async with database(stack, service) as connection:
        rows = await connection.fetch("select distinct type_name from outbox_sent where org_id = $1", org_id)
        return [row["type_name"].rpartition(".")[2] for row in rows]


async def test_an_organisation_goes_with_all_that_it_made(stack: Stack, api: Api) -> None:
    name = f"Fleeting {uuid4().hex[:8]}"
    wanted = {"name": name, "plan": "pro", "owner": {"email": "ada@example.org", "name": "Ada"}}
    made = await api.post("/v1/organizations", json=wanted)
    assert made.status == 201, made.content
    org_id = await _organization(stack, name)
    stays = await api.speak(f"This one stays, {uuid4().hex[:8]}.", (await api.voices())[0]["id"])
    async with Api(stack.url, made.json["key"]["key"]) as theirs:

        async def subscribed() -> bool:
            async with database(stack, "analytics") as connection:
                return bool(await connection.fetchval("select 1 from subscriptions where org_id = $1", org_id))

        await eventually(subscribed, within=30, what="the subscription")
        voice = await theirs.upload_voice(f"Theirs {uuid4().hex[:8]}")
        await theirs.speak(f"This one goes, {uuid4().hex[:8]}.", voice.json["id"])
        rules = [{"phrase": "Antiphon", "replacement": "an tee fon"}]
        assert (await theirs.post("/v1/dictionaries", json={"name": "Names", "rules": rules})).status == 201

        async def everywhere() -> bool:
            places = {place.partition(".")[0] for place in await rows_of(stack, org_id)}
            return places == set(SERVICES)

        await eventually(everywhere, within=30, what="rows in every service")
        assert await objects_of(stack, org_id)
        once = {"Idempotency-Key": uuid4().hex}
        begun = await theirs.post("/v1/organization/erasure", json={"name": name}, headers=once)
        assert begun.status == 202, begun.content
        assert (await theirs.get("/v1/keys/current")).status == 401

    async def completed() -> dict[str, Any] | None:
        async with Api(stack.url, None) as nobody:
            report: dict[str, Any] = (await nobody.get(begun.headers["Location"])).json
            return report if report["status"] == "completed" else None

    report = await eventually(completed, within=60, what="the end of the erasure")
    assert report is not None
    first = {one["service"]: one["counts"] for one in report["reports"] if one["round"] == 1}
    assert set(first) == set(SERVICES)
    assert first["storage"]["objects"] >= 2
    for service, table in (
        ("voice", "voices"),
        ("generation", "generations"),
        ("storage", "audio_tracks"),
        ("embedding", "documents"),
        ("analytics", "subscriptions"),
    ):
        assert first[service][table] >= 1, (service, table)

    async def gone() -> bool:
        # The news of the end itself is told, and archived, after it.
        rows = await rows_of(stack, org_id)
        return not {place: count for place, count in rows.items() if not place.endswith((".outbox", ".outbox_sent"))}

    await eventually(gone, within=10, what="every row to be gone")
    archived = {kind for service in SERVICES for kind in await _archived(stack, service, org_id)}
    assert archived <= {"OrganizationErasureRequested", "OrganizationErased"}
    assert await objects_of(stack, org_id) == []
    assert (await api.get(f"/v1/generations/{stays['id']}/audio")).status == 200
