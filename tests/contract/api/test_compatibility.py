"""docs/compatibility.md says what the checks under the vendors' clients show."""

from __future__ import annotations

import pytest

from services.gateway.domain.elevenlabs.table import CALLS
from tests.sdks import compatibility
from tests.sdks.compatibility import DOCUMENT, Unclaimed, document, rows_of
from tests.sdks.suites import VERSIONS


def test_it_is_what_the_checks_show() -> None:
    assert DOCUMENT.read_text("utf-8") == document(), "stale: run `.venv/bin/python -m tests.sdks.compatibility`"


@pytest.mark.parametrize("vendor", VERSIONS)
def test_every_route_of_theirs_is_in_it(vendor: str) -> None:
    page = DOCUMENT.read_text("utf-8")
    assert [row.route for row in rows_of(vendor) if f"`{row.route}`" not in page] == []


def test_what_is_answered_is_claimed() -> None:
    def shape(route: str) -> str:
        return "/".join("{}" if "{" in part else part for part in route.rstrip("/").split("/"))

    claimed = {shape(row.route) for row in rows_of("elevenlabs") if row.works}
    assert {shape(f"{call.method} {call.path}") for call in CALLS} - claimed == set()


def test_a_claim_that_no_check_shows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compatibility, "checks_of", lambda _vendor: [])
    with pytest.raises(Unclaimed, match="GET /v1/models is said to differ, but no check shows it"):
        rows_of("openai")


def test_a_route_that_nothing_is_said_of_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compatibility, "read_routes", lambda _vendor: {"GET /v1/telepathy": ("elevenlabs",)})
    with pytest.raises(Unclaimed, match="GET /v1/telepathy is neither claimed by a check nor in not_offered"):
        rows_of("elevenlabs")
