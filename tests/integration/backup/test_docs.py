"""The commands of docs/backup.md, executed as they stand; among them the drill."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.embedded.programs import SERVICES
from tests.integration.backup.conftest import BackedUp
from tests.support.api import Api
from tests.support.pages import page, run_commands


@pytest.mark.timeout(360)
async def test_the_commands_work_as_written(backed_up: BackedUp, tmp_path: Path) -> None:
    stack = backed_up.stack
    await backed_up.has_first()
    async with Api(stack.url, stack.api_key) as api:
        generation = await api.speak("To be found in the drill.", (await api.voices())[0]["id"])
        assert generation["status"] == "completed"
    restored = stack.home.with_name(stack.home.name + ".restored")
    try:
        said = run_commands(stack, tmp_path, page("docs/backup.md"), within=300)
    finally:
        shutil.rmtree(restored, ignore_errors=True)
    assert "verified" in said
    assert "Any moment from" in said
    assert "Everything that was backed up is what was written." in said
    assert "The audit is clean." in said
    assert all(f"{service} " in said for service in SERVICES)
    assert f"ANTIPHON_HOME={restored} antiphon up" in said
