"""The commands of the operators' pages, executed as they stand."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import nats
import pytest

from deploy.embedded.programs import SERVICES
from tests.support.api import Api
from tests.support.pages import page, run_commands, run_shell
from tests.support.polling import eventually
from tests.support.stack import Stack, free_port, without_settings

COMPLETED = "evt.generation.generation_completed.v1"


async def bury_one(stack: Stack) -> None:
    """Leave a dead letter: an event that analytics has applied, so that a replay changes nothing."""
    client = await nats.connect(stack.exports()["ANTIPHON_NATS_URL"], inbox_prefix=b"_INBOX_provisioner")
    try:
        broker = client.jetstream()

        async def told() -> bool:
            state = (await broker.stream_info("EVT_GENERATION", subjects_filter=COMPLETED)).state
            return bool(state.subjects)

        await eventually(told, what="a completed generation")
        event = await broker.get_last_msg("EVT_GENERATION", COMPLETED)
        headers = {name: value for name, value in (event.headers or {}).items() if not name.startswith("Nats-")}
        letter = {**headers, "dlq-consumer": "analytics", "dlq-tries": "5", "dlq-error": "Permanent: for a look at it"}
        await broker.publish(f"dlq.analytics.{event.subject}", event.data or b"", headers=letter)
    finally:
        await client.close()


@pytest.mark.timeout(240)
async def test_the_commands_on_events_work_as_written(stack: Stack, api: Api, tmp_path: Path) -> None:
    await api.speak("Told once more.", (await api.voices())[0]["id"])
    stack.run("dlq", "drop", "--all", "--yes")  # what other tests on this stack left: the page takes the oldest
    await bury_one(stack)
    printed = run_commands(stack, tmp_path, page("docs/events-operations.md"), within=200)
    assert '"error": "Permanent: for a look at it"' in printed
    assert "replayed 1\n" in printed
    assert "would replay" in printed
    assert "rebuilt generation.voices from " in printed


def test_the_commands_on_plans_work_as_written(stack: Stack, tmp_path: Path) -> None:
    printed = run_commands(stack, tmp_path, page("docs/plans.md"))
    assert '"plan":"enterprise"' in printed
    assert '"plan":"pro"' in printed
    assert printed.count("all sums are what the ledger says") == 2


@pytest.mark.timeout(240)
def test_the_commands_on_the_stack_work_as_written(tmp_path: Path) -> None:
    home = Path(tempfile.mkdtemp(prefix="antiphon-stack-"))
    environment = without_settings() | {"ANTIPHON_HOME": str(home), "ANTIPHON_PORT": str(free_port())}
    try:
        printed = run_shell(environment, tmp_path, page("docs/operations.md"), within=200)
    finally:
        run_shell(environment, tmp_path, "```sh\nantiphon down\n```\n", within=60)
        shutil.rmtree(home, ignore_errors=True)
    assert "Antiphon is ready on" in printed
    assert "export ANTIPHON_API_KEY=" in printed
    assert all(f"{service} " in printed for service in SERVICES)
