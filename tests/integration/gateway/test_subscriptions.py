"""Plans are changed by the operator alone, and keys carry what analytics tells of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from libs.contracts.antiphon.analytics.v1.events_pb2 import SubscriptionChanged
from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ChangeSubscriptionReply, ChangeSubscriptionRequest
from libs.database import Database
from libs.ids import new_id
from libs.messaging import connect
from libs.messaging.rpc import RpcServer
from services.gateway.domain.access import Role
from services.gateway.domain.organizations import FIRST_ORGANIZATION_ID
from services.gateway.usecases.subscriptions import learn_plans
from tests.integration.gateway.access import Person, new_person
from tests.integration.gateway.asking import Api
from tests.integration.gateway.conftest import Tenant
from tests.support.polling import eventually
from tests.support.servers import Servers


@dataclass
class Analytics:
    """Answers as the service does, and remembers what it was asked."""

    asked: list[ChangeSubscriptionRequest] = field(default_factory=list)

    async def change(self, request: ChangeSubscriptionRequest) -> ChangeSubscriptionReply:
        """Refuse what ends in the past; else say that it is so."""
        self.asked.append(request)
        if request.end_date == 1:
            return ChangeSubscriptionReply(refusal_field="end_date", refusal="is past")
        return ChangeSubscriptionReply(plan=request.plan, status=request.status, plan_in_force=request.plan)


@pytest.fixture
async def analytics(servers: Servers) -> AsyncIterator[Analytics]:
    bus = await connect(servers.nats("analytics"), "test analytics")
    answering = Analytics()
    server = RpcServer(bus, "analytics", "change_subscription", ChangeSubscriptionRequest, answering.change)
    await server.start()
    await bus.client.flush()
    yield answering
    await server.stop()
    await bus.close()


async def test_the_operator_changes_a_plan_and_the_audit_log_says_so(
    api: Api, operator: Person, tenant: Tenant, analytics: Analytics
) -> None:
    path = f"/v1/organizations/{tenant.org_id}/subscription"
    status, told = await api(operator.key, "PUT", path, {"plan": "pro", "effective": "period_end"})
    assert (status, told["plan"], told["status"], told["end_date"]) == (200, "pro", "active", None)
    (asked,) = analytics.asked
    assert (asked.org_id, asked.plan, asked.effective) == (str(tenant.org_id), "pro", "period_end")
    newest = (await api(operator.key, "GET", "/v1/audit"))[1]["items"][0]
    assert newest["action"] == "subscription.changed"
    assert newest["details"]["organization"] == str(tenant.org_id)


async def test_nobody_else_changes_plans(
    api: Api, operator: Person, tenant: Tenant, analytics: Analytics, database: Database
) -> None:
    admin = await new_person(database, FIRST_ORGANIZATION_ID, Role.ADMIN)
    owner = await new_person(database, tenant.org_id, Role.OWNER)
    path = f"/v1/organizations/{tenant.org_id}/subscription"
    for key in (tenant.key, owner.key, admin.key):
        status, told = await api(key, "PUT", path, {"plan": "enterprise"})
        assert (status, told["code"]) == (403, "not_operator")
    assert analytics.asked == []
    assert (await api(operator.key, "PUT", path, {"plan": "enterprise"}))[0] == 200


async def test_what_cannot_be_is_refused_by_field(
    api: Api, operator: Person, tenant: Tenant, analytics: Analytics
) -> None:
    for unknown in (str(new_id()), "nobody"):
        status, told = await api(operator.key, "PUT", f"/v1/organizations/{unknown}/subscription", {"plan": "pro"})
        assert (status, told["code"]) == (404, "organization_not_found")
    assert analytics.asked == []
    path = f"/v1/organizations/{tenant.org_id}/subscription"
    past = {"plan": "pro", "end_date": "1970-01-01T00:00:01Z"}
    status, told = await api(operator.key, "PUT", path, past)
    assert (status, told["errors"][0]["field"]) == (422, "end_date")
    assert (await api(operator.key, "PUT", path, {"plan": "gold"}))[0] == 422


async def test_keys_carry_the_newest_plan_within_seconds(api: Api, tenant: Tenant, database: Database) -> None:
    async def plan() -> str:
        told: str = (await api(tenant.key, "GET", "/v1/organization"))[1]["plan"]
        return told

    def changed(plan: str, revision: int) -> SubscriptionChanged:
        return SubscriptionChanged(org_id=str(tenant.org_id), plan_in_force=plan, revision=revision)

    async def policy() -> str:
        status, _ = await api(tenant.key, "GET", "/v1/keys/current")
        return (await api(tenant.key, "GET", "/v1/keys/current"))[1]["plan"] if status == 200 else "limited"

    assert await plan() == "free"
    async with database.transaction(tenant.org_id) as session:
        await learn_plans(session, [changed("enterprise", 5), changed("pro", 4)])

    async def carries() -> bool:
        return await policy() == "enterprise"

    await eventually(carries, within=5, what="the new plan in the key")
    assert await plan() == "enterprise"
