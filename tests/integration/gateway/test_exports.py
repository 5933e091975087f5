"""Taking data along: all services are asked once, and who asked gets what they wrote, for a while."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from libs.contracts.antiphon.gateway.v1 import events_pb2 as gateway_events
from libs.database import Database
from libs.ids import new_id
from libs.messaging import Bus, Delivery
from libs.objectstore import ObjectStore
from libs.outbox.exporting import export_key, exports
from services.gateway.domain.access import Role
from services.gateway.domain.exports import KEPT, SERVICES, Part
from services.gateway.domain.public_events import public_event
from services.gateway.store.exports import export_parts, lock_export
from services.gateway.usecases import exporting as gateway
from tests.integration.gateway.access import Person, new_person
from tests.integration.gateway.asking import Api
from tests.integration.gateway.conftest import Tenant, new_tenant, running_gateway
from tests.integration.gateway.exporting import Deps, events_of


@pytest.fixture
async def api(keeping: Database, bus: Bus, objects: ObjectStore) -> AsyncIterator[Api]:
    async with running_gateway(keeping, bus, {}, objects=objects) as url, aiohttp.ClientSession(url) as session:
        yield Api(session)


async def _answer_all(keeping: Database, deps: Deps, org_id: UUID, but: Sequence[str] = ()) -> None:
    """The gateway does its part; the other services say that they have nothing, those in `but` that they failed."""
    newest = (await events_of(keeping, org_id, gateway_events.ExportRequested))[-1]
    await exports("gateway", gateway_events.DataExported, gateway.EXPORTED).handler(
        Delivery(newest, str(new_id()), 1), deps
    )
    own = (await events_of(keeping, org_id, gateway_events.DataExported))[-1]
    for service in sorted(SERVICES):
        of = own if service == "gateway" else gateway_events.DataExported()
        part = Part(
            service=service,
            counts=dict(of.counts),
            object_key=of.object_key or None,
            sha256=of.sha256 or None,
            size_bytes=of.size_bytes,
            error="DataError" if service in but else None,
            tries=6 if service in but else 1,
            exported_at=datetime.now(UTC),
        )
        for _ in range(2):
            async with keeping.transaction(org_id) as session:
                await gateway.collect_part(session, org_id, UUID(newest.export_id), part, cause=None)


async def _download(api: Api, key: str, export_id: str) -> dict[str, bytes]:
    status, content_type, content = await api.download(key, f"/v1/exports/{export_id}/download")
    assert (status, content_type) == (200, "application/zip")
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}


def _rows(file: bytes, table: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in file.splitlines()]
    return [line["row"] for line in lines if line["table"] == table]


async def test_an_organisation_takes_all_along_but_what_opens_doors(
    api: Api, owner: Person, tenant: Tenant, keeping: Database, objects: ObjectStore
) -> None:
    _, invited = await api(owner.key, "POST", "/v1/invitations", {"email": "ada@example.org"})
    wanted = {"url": "https://example.com/hook", "events": ["voice.*"]}
    _, hook = await api(owner.key, "POST", "/v1/webhooks", wanted)
    status, begun = await api(owner.key, "POST", "/v1/organization/export")
    assert (status, begun["status"], begun["waits_for"]) == (202, "running", sorted(SERVICES))
    path = f"/v1/exports/{begun['id']}"
    assert (await api(owner.key, "GET", f"{path}/download"))[1]["code"] == "export_not_ready"
    again = await api(owner.key, "POST", "/v1/organization/export")
    assert (again[0], again[1]["export_id"]) == (409, begun["id"])
    await _answer_all(keeping, Deps(keeping, objects), owner.org_id)
    _, done = await api(owner.key, "GET", path)
    assert (done["status"], done["waits_for"], len(done["parts"])) == ("completed", [], len(SERVICES))
    files = await _download(api, owner.key, begun["id"])
    assert set(files) == {"report.json", "gateway.ndjson"}
    assert json.loads(files["report.json"])["id"] == begun["id"]
    told = files["gateway.ndjson"]
    assert [row["name"] for row in _rows(told, "organizations")] == ["Tenant"]
    assert {row["id"] for row in _rows(told, "api_keys")} == {str(owner.key_id), str(tenant.key_id)}
    assert [row["email"] for row in _rows(told, "invitations")] == ["ada@example.org"]
    assert [row["id"] for row in _rows(told, "users")] == [str(owner.user_id)]
    assert [row["url"] for row in _rows(told, "webhooks")] == ["https://example.com/hook"]
    assert [row["action"] for row in _rows(told, "audit_log")][-1] == "organization.exported"
    for secret in (owner.key, tenant.key, invited["token"], hook["secret"]):
        assert secret.encode() not in told
    assert b"org_id" not in told
    assert str(owner.org_id).encode() not in told.replace(
        json.dumps(_rows(told, "organizations")[0]["id"]).encode(), b""
    )
    assert (await api(owner.key, "GET", "/v1/audit"))[1]["items"][0]["action"] == "export.downloaded"


async def test_of_a_person_only_what_is_about_them_is_told(
    api: Api, owner: Person, keeping: Database, objects: ObjectStore
) -> None:
    _, invited = await api(owner.key, "POST", "/v1/invitations", {"email": "Ada@example.org"})
    _, joined = await api(None, "POST", "/v1/invitations/accept", {"token": invited["token"], "name": "Ada"})
    ada = joined["user_id"]
    _, begun = await api(owner.key, "POST", f"/v1/members/{ada}/export")
    assert begun["user_id"] == ada
    await _answer_all(keeping, Deps(keeping, objects), owner.org_id)
    told = (await _download(api, owner.key, begun["id"]))["gateway.ndjson"]
    assert [row["name"] for row in _rows(told, "users")] == ["Ada"]
    assert [row["email"] for row in _rows(told, "invitations")] == ["Ada@example.org"]
    assert [row["user_id"] for row in _rows(told, "memberships")] == [ada]
    assert {row["user_id"] for row in _rows(told, "api_keys")} == {ada}
    assert {row["action"] for row in _rows(told, "audit_log")} == {"invitation.accepted", "member.exported"}
    assert _rows(told, "organizations") == _rows(told, "webhooks") == []
    assert (await api(owner.key, "POST", f"/v1/members/{ada}/erasure"))[0] == 200
    assert (await api(owner.key, "GET", f"/v1/exports/{begun['id']}"))[1]["status"] == "expired"


async def test_a_service_that_gives_up_is_shown_and_the_rest_is_there(
    api: Api, owner: Person, keeping: Database, objects: ObjectStore
) -> None:
    _, begun = await api(owner.key, "POST", "/v1/organization/export")
    await _answer_all(keeping, Deps(keeping, objects), owner.org_id, but=("voice",))
    _, shown = await api(owner.key, "GET", f"/v1/exports/{begun['id']}")
    (failed,) = [part for part in shown["parts"] if part["status"] == "failed"]
    assert (shown["status"], failed["service"], failed["error"], failed["tries"]) == ("failed", "voice", "DataError", 6)
    assert set(await _download(api, owner.key, begun["id"])) == {"report.json", "gateway.ndjson"}
    assert (await api(owner.key, "POST", "/v1/organization/export"))[0] == 202


async def test_files_go_when_an_export_expires_or_is_deleted(
    api: Api, owner: Person, keeping: Database, objects: ObjectStore
) -> None:
    ids = []
    for _ in range(2):
        _, begun = await api(owner.key, "POST", "/v1/organization/export")
        await _answer_all(keeping, Deps(keeping, objects), owner.org_id)
        ids.append(UUID(begun["id"]))
    keys = [export_key(owner.org_id, export_id, "gateway") for export_id in ids]
    assert (await api(owner.key, "DELETE", f"/v1/exports/{ids[0]}"))[0] == 204
    assert (await api(owner.key, "GET", f"/v1/exports/{ids[0]}"))[1]["code"] == "export_not_found"
    assert (await api(owner.key, "DELETE", f"/v1/exports/{ids[0]}"))[0] == 404
    deps: Any = Deps(keeping, objects)  # Any: the part of the gateway's dependencies that a sweep needs
    while await gateway.expire_some(deps):
        pass
    assert [await objects.exists(key) for key in keys] == [False, True]
    later: Any = Deps(keeping, objects, lambda: datetime.now(UTC) + KEPT + timedelta(minutes=1))
    while await gateway.expire_some(later):
        pass
    assert not await objects.exists(keys[1])
    answer = await api(owner.key, "GET", f"/v1/exports/{ids[1]}/download")
    assert (answer[0], answer[1]["code"]) == (410, "export_expired")


async def test_the_end_is_told_once_and_who_gave_up(
    api: Api, owner: Person, keeping: Database, objects: ObjectStore
) -> None:
    _, begun = await api(owner.key, "POST", "/v1/organization/export")
    await _answer_all(keeping, Deps(keeping, objects), owner.org_id)
    (completed,) = await events_of(keeping, owner.org_id, gateway_events.ExportCompleted)
    assert (completed.export_id, completed.user_id) == (begun["id"], "")
    assert completed.expires_at.ToDatetime(UTC) == datetime.fromisoformat(begun["expires_at"])
    _, person = await api(owner.key, "POST", f"/v1/members/{owner.user_id}/export")
    await _answer_all(keeping, Deps(keeping, objects), owner.org_id, but=("voice", "storage"))
    (failed,) = await events_of(keeping, owner.org_id, gateway_events.ExportFailed)
    assert (failed.export_id, failed.user_id) == (person["id"], str(owner.user_id))
    assert list(failed.services) == ["storage", "voice"]
    told = public_event(new_id(), failed)
    assert told is not None
    assert (told.type, told.data["services"], told.data["user_id"]) == (
        "export.failed",
        ["storage", "voice"],
        str(owner.user_id),
    )
    assert len(await events_of(keeping, owner.org_id, gateway_events.ExportCompleted)) == 1


async def test_exports_are_listed_page_by_page_without_those_that_are_deleted(
    api: Api, owner: Person, keeping: Database, database: Database, objects: ObjectStore
) -> None:
    stranger = await new_person(database, (await new_tenant(database)).org_id, Role.OWNER)
    made = []
    for _ in range(4):
        made.append((await api(owner.key, "POST", "/v1/organization/export"))[1]["id"])
        await _answer_all(keeping, Deps(keeping, objects), owner.org_id)
    assert (await api(owner.key, "DELETE", f"/v1/exports/{made.pop(1)}"))[0] == 204
    status, first = await api(owner.key, "GET", "/v1/exports?limit=2")
    assert (status, [one["id"] for one in first["items"]]) == (200, made[:0:-1])
    assert [len(one["parts"]) for one in first["items"]] == [len(SERVICES)] * 2
    _, second = await api(owner.key, "GET", f"/v1/exports?limit=2&cursor={first['next_cursor']}")
    assert ([one["id"] for one in second["items"]], second["next_cursor"]) == (made[:1], None)
    assert second["items"][0] == (await api(owner.key, "GET", f"/v1/exports/{made[0]}"))[1]
    assert (await api(stranger.key, "GET", "/v1/exports"))[1]["items"] == []
    assert (await api(owner.key, "GET", "/v1/exports?cursor=x"))[0] == 422


async def test_only_who_may_and_only_ones_own(api: Api, owner: Person, database: Database, keeping: Database) -> None:
    member = await new_person(database, owner.org_id, Role.MEMBER)
    assert (await api(member.key, "POST", "/v1/organization/export"))[1]["code"] == "scope_missing"
    assert (await api(member.key, "GET", "/v1/exports"))[1]["code"] == "scope_missing"
    assert (await api(owner.key, "POST", f"/v1/members/{new_id()}/export"))[1]["code"] == "member_not_found"
    _, begun = await api(owner.key, "POST", "/v1/organization/export")
    async with database.transaction(owner.org_id) as session:
        assert await lock_export(session, UUID(begun["id"]))
    async with database.transaction(new_id()) as session:
        assert not await lock_export(session, UUID(begun["id"]))
        assert (await session.execute(export_parts.select())).all() == []
