"""The routes of the vendors' clients are written down as their source has them."""

from __future__ import annotations

import pytest

from tests.sdks.suites import VERSIONS
from tests.sdks.vendor_routes import read_routes, routes_of


@pytest.mark.parametrize("vendor", VERSIONS)
def test_what_is_written_down_is_what_the_clients_know(vendor: str) -> None:
    stale = "stale: run `.venv/bin/python -m tests.sdks.vendor_routes`, then `-m tests.sdks.compatibility`"
    assert read_routes(vendor) == routes_of(vendor), stale
