"""An organisation goes from the whole stack: every row and every object of it, and of nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from libs.objectstore import ObjectStore, ObjectStoreAddress
from tests.chaos.books import database
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.recordings import spoken_wav
from tests.support.stack import Stack

SERVICES = ("voice", "generation", "storage", "embedding", "analytics", "gateway")
KEPT = {"audit_log", "audit_heads", "erasures", "erasure_reports", "key_changes", "erased_organizations"}
Held = Callable[[], Awaitable[None]]
"""Waits until something is held."""
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
        kinds = ("exports", "generations", "media", "quarantine", "voices")
        return [key for kind in kinds for key in await objects.list_keys(f"{kind}/orgs/{org_id}/", 100)]
    finally:
        await objects.close()


async def _organization(stack: Stack, name: str) -> UUID:
    async with database(stack, "gateway") as connection:
        org_id: UUID = await connection.fetchval("select id from organizations where name = $1", name)
        return org_id


async def _new_organization(stack: Stack, api: Api) -> tuple[str, UUID, str]:
    """Its name, its id and its owner's key, once every service knows of it."""
    name = f"Fleeting {uuid4().hex[:8]}"
    wanted = {"name": name, "plan": "pro", "owner": {"email": "ada@example.org", "name": "Ada"}}
    made = await api.post("/v1/organizations", json=wanted)
    assert made.status == 201, made.content
    org_id = await _organization(stack, name)

    async def subscribed() -> bool:
        async with database(stack, "analytics") as connection:
            return bool(await connection.fetchval("select 1 from subscriptions where org_id = $1", org_id))

    await eventually(subscribed, within=30, what="the subscription")
    return name, org_id, made.json["key"]["key"]


async def _erase(stack: Stack, theirs: Api, name: str) -> dict[str, Any]:
    """Erase the organisation, and return the report of it when it is complete."""
    begun = await theirs.post("/v1/organization/erasure", json={"name": name}, headers={"Idempotency-Key": uuid4().hex})
    assert begun.status == 202, begun.content
    assert (await theirs.get("/v1/keys/current")).status == 401

    async def completed() -> dict[str, Any] | None:
        async with Api(stack.url, None) as nobody:
            report: dict[str, Any] = (await nobody.get(begun.headers["Location"])).json
            return report if report["status"] == "completed" else None

    report = await eventually(completed, within=60, what="the end of the erasure")
    assert report is not None
    return report


async def _until_gone(stack: Stack, org_id: UUID) -> None:
    async def gone() -> bool:
        # The news of the end itself is told, and archived, after it.
        rows = await rows_of(stack, org_id)
        return not {place: count for place, count in rows.items() if not place.endswith((".outbox", ".outbox_sent"))}

    await eventually(gone, within=10, what="every row to be gone")
    archived = {kind for service in SERVICES for kind in await _archived(stack, service, org_id)}
    assert archived <= {"OrganizationErasureRequested", "OrganizationErased"}
    assert await objects_of(stack, org_id) == []


async def _archived(stack: Stack, service: str, org_id: UUID) -> list[str]:
    """The kinds of events that are still kept for a replay."""
    async with database(stack, service) as connection:
        rows = await connection.fetch("select distinct type_name from outbox_sent where org_id = $1", org_id)
        return [row["type_name"].rpartition(".")[2] for row in rows]


async def test_an_organisation_goes_with_all_that_it_made(stack: Stack, api: Api) -> None:
    name, org_id, key = await _new_organization(stack, api)
    stays = await api.speak(f"This one stays, {uuid4().hex[:8]}.", (await api.voices())[0]["id"])
    async with Api(stack.url, key) as theirs:
        voice = await theirs.upload_voice(f"Theirs {uuid4().hex[:8]}")
        await theirs.speak(f"This one goes, {uuid4().hex[:8]}.", voice.json["id"])
        assert (await theirs.post("/v1/dictionaries", json={"name": "Names", "rules": RULES})).status == 201

        async def everywhere() -> bool:
            places = {place.partition(".")[0] for place in await rows_of(stack, org_id)}
            return places == set(SERVICES)

        await eventually(everywhere, within=30, what="rows in every service")
        assert await objects_of(stack, org_id)
        report = await _erase(stack, theirs, name)
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

    await _until_gone(stack, org_id)
    assert (await api.get(f"/v1/generations/{stays['id']}/audio")).status == 200


@asynccontextmanager
async def _holding(stack: Stack, service: str, statement: str, *values: object) -> AsyncIterator[Held]:
    """Hold what a request needs, as another transaction that takes its time would; yields what waits until it does."""
    async with database(stack, service) as connection:
        transaction = connection.transaction()
        await transaction.start()
        # Without the triggers: it is nobody's work, and no erasure has to wait for it.
        await connection.execute("set local session_replication_role = replica")
        await connection.execute(statement, *values)

        async def held() -> None:
            async def waits() -> bool:
                return bool(await connection.fetchval("select 1 from pg_locks where not granted"))

            await eventually(waits, within=30, what=f"a request to be held in {service}")

        try:
            yield held
        finally:
            await transaction.rollback()


HELD = {
    "voice": """
        insert into voices
        select (jsonb_populate_record(one, jsonb_build_object('id', gen_random_uuid(), 'name', 'Held'))).*
        from voices one where org_id = $1
    """,
    "generation": """
        insert into dictionaries
        select (jsonb_populate_record(one, jsonb_build_object('id', gen_random_uuid(), 'name', 'Held'))).*
        from dictionaries one where org_id = $1
    """,
    "storage": "select pg_advisory_xact_lock(hashtextextended('uploads ' || $1::uuid::text, 0))",
}
"""What requests wait for: whether a name is taken, and that one upload is opened after the other."""
RULES = [{"phrase": "Antiphon", "replacement": "an tee fon"}]
UPLOAD = {
    "purpose": "media",
    "filename": "tone.wav",
    "content_type": "audio/wav",
    "size_bytes": 1000,
    "sha256": "0" * 64,
}


async def test_requests_that_are_held_in_the_middle_leave_nothing(stack: Stack, api: Api) -> None:
    """In each service something is at work when the organisation is erased, and goes on when that is done."""
    name, org_id, key = await _new_organization(stack, api)
    async with Api(stack.url, key) as theirs, AsyncExitStack() as holding:
        assert (await theirs.add_voice("Theirs", spoken_wav())).status == 201
        assert (await theirs.post("/v1/dictionaries", json={"name": "Names", "rules": RULES})).status == 201
        held = [
            await holding.enter_async_context(_holding(stack, service, statement, org_id))
            for service, statement in HELD.items()
        ]
        requests = [
            asyncio.create_task(theirs.add_voice("Held", spoken_wav())),
            asyncio.create_task(theirs.post("/v1/dictionaries", json={"name": "Held", "rules": RULES})),
            asyncio.create_task(theirs.post("/v1/uploads", json=UPLOAD)),
        ]
        for one in held:
            await one()
        await _erase(stack, theirs, name)
        assert not any(request.done() for request in requests)
        await holding.aclose()
        answers = await asyncio.gather(*requests)
    assert [answer.status for answer in answers] == [503, 503, 503], [answer.content for answer in answers]
    await _until_gone(stack, org_id)
