"""The unmodified `openai` package, at its newest and at an old version."""

from __future__ import annotations

import pytest

from tests.e2e.sdks.conftest import Outcome
from tests.sdks.suites import VERSIONS, Check, checks_of, unseen


@pytest.mark.parametrize("version", VERSIONS["openai"])
@pytest.mark.parametrize("check", checks_of("openai"), ids=str)
def test_the_client_works_as_claimed(outcome: Outcome, version: str, check: Check) -> None:
    found = outcome("openai", version, check)
    assert found["passed"], found["error"]
    assert unseen(check.routes, found) == []
