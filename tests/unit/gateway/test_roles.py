"""Each role at each route, from the one table."""

from __future__ import annotations

from uuid import UUID

import pytest

from services.gateway.api.keys import require_scope
from services.gateway.domain.access import ALL_SCOPES, ANY_SCOPE, Credential, Role, Scope
from services.gateway.domain.failures import ScopeMissing
from services.gateway.domain.routes import ROUTES, Route

READS_BY_POST = {Scope.SEARCH_READ, Scope.SPEECH_READ}
"""Searching and embedding, and many files as one: questions that are too long for a URL."""
MANAGING = (
    "/v1/organization",
    "/v1/members",
    "/v1/invitations",
    "/v1/audit",
    "/v1/webhook",
    "/v1/erasures",
    "/v1/exports",
)


def _may(role: Role, route: Route) -> bool:
    assert route.scope is not None
    try:
        require_scope(Credential(UUID(int=1), UUID(int=2), UUID(int=3), role.scopes, "free", role), route.scope)
    except ScopeMissing:
        return False
    return True


ROUTES_WITH_KEYS = [route for route in ROUTES if route.scope is not None]


@pytest.mark.parametrize("route", ROUTES_WITH_KEYS, ids=lambda route: f"{route.method} {route.template}")
def test_each_role_may_do_what_it_is_for(route: Route) -> None:
    reads = route.method in ("GET", "HEAD")
    may = {role for role in Role if _may(role, route)}
    assert {Role.OWNER, Role.ADMIN} <= may
    if route.scope == ANY_SCOPE:
        assert may == set(Role)
    elif route.template.startswith(MANAGING):
        assert not reads or may in ({Role.OWNER, Role.ADMIN}, set(Role))
        assert reads or may == {Role.OWNER, Role.ADMIN}
    elif reads:
        assert may == set(Role)
    else:
        assert Role.MEMBER in may
        assert (Role.VIEWER in may) == (route.scope in READS_BY_POST)


def test_who_is_higher_may_do_all_that_who_is_lower_may() -> None:
    viewer, member, admin, owner = (role.scopes for role in (Role.VIEWER, Role.MEMBER, Role.ADMIN, Role.OWNER))
    assert viewer < member < admin <= owner == ALL_SCOPES
    order = list(Role)
    for one in Role:
        assert [other for other in Role if one.covers(other)] == order[order.index(one) :]


def test_few_routes_need_no_key() -> None:
    assert {(route.method, route.template) for route in ROUTES if route.scope is None} == {
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/v1/erasures/{erasure_id}"),
        ("POST", "/v1/invitations/accept"),
    }
