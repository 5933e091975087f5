"""Organisations with a plan, as an operator makes them."""

from __future__ import annotations

from tests.support.api import Api
from tests.support.polling import eventually


async def new_customer(operator: Api) -> tuple[str, str]:
    """Make an organisation on the free plan, and let the operator upgrade it; returns its id and a key of it."""
    wanted = {"name": "Customer", "owner": {"email": "ada@example.org", "name": "Ada"}}
    made = await operator.post("/v1/organizations", json=wanted)
    assert made.status == 201, made.content
    org_id = made.json["organization_id"]
    upgraded = await operator.ask("PUT", f"/v1/organizations/{org_id}/subscription", json={"plan": "pro"})
    assert (upgraded.status, upgraded.json["plan_in_force"]) == (200, "pro"), upgraded.content
    return org_id, made.json["key"]["key"]


async def until_upgraded(api: Api) -> None:
    """Wait until the gateway knows of the plan."""

    async def has_plan() -> bool:
        return bool((await api.get("/v1/keys/current")).json["plan"] == "pro")

    await eventually(has_plan, within=10, what="the new plan at the gateway")
