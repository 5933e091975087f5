"""Other vendors' clients, unmodified, against a whole stack."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tests.sdks.suites import Check, run_checks
from tests.support.stack import Stack

Outcome = Callable[[str, str, Check], dict[str, Any]]  # Any: JSON of run.py


@pytest.fixture(scope="session")
def outcome(stack: Stack) -> Outcome:
    """What became of a check of a vendor under a version of its client; each module runs once."""

    @cache
    def of_module(version: str, module: str) -> dict[str, Any]:  # Any: JSON of run.py
        return run_checks(version, module, {"url": stack.url, "api_key": stack.api_key, "version": version})

    def of(vendor: str, version: str, check: Check) -> dict[str, Any]:  # Any: JSON of run.py
        found: dict[str, Any] = of_module(version, f"{vendor}.{check.module}")[check.name]
        return found

    return of
