"""What holds for every test, by the folder it lies in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent
# Folders whose tests open no socket and hear nothing from the developer's shell.
SEALED = ("unit", "contract")

# A shared machine may stall at any moment, so an example's duration says nothing about the code.
settings.register_profile("antiphon", deadline=None)
# --hypothesis-profile=thorough: for those tests that would take too long otherwise, and that look elsewhere every time.
settings.register_profile("thorough", deadline=None, print_blob=True)
settings.load_profile("antiphon")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker for each core that this process may use, which in a container is not each core there is."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder, and close the network to those that have no business there."""
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in SEALED:
            item.add_marker(pytest.mark.disable_socket)
        if folder in ("unit", "contract", "integration", "e2e", "chaos"):
            item.add_marker(folder)


@pytest.fixture(autouse=True)
def _sealed_environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unit and contract tests see no setting of a stack that runs beside them."""
    if request.path.relative_to(TESTS).parts[0] in SEALED:
        for name in list(os.environ):
            if name.startswith(("ANTIPHON_", "OTEL_")):
                monkeypatch.delenv(name)
