from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException

from deploy.embedded.processes import HOME_MARK, identify, is_running
from tests.integration.embedded.conftest import StandinStack, gone, kill
from tests.support.polling import eventually


async def test_a_killed_service_comes_back_without_its_helpers_and_nothing_else_notices(stack: StandinStack) -> None:
    record = await stack.start("service", "service")
    helper = stack.ask("voice", "/helper")["pid"]
    identity = identify(helper)
    kill(record.processes["voice"])
    again = await stack.recovered("voice", record.processes["voice"].pid)
    assert again.port == record.processes["voice"].port
    await gone(helper, identity)
    assert stack.record().processes["gateway"].pid == record.processes["gateway"].pid


async def test_services_see_only_their_own_environment_and_outlive_the_launcher(stack: StandinStack) -> None:
    record = await stack.start("service", "service")
    seen = stack.ask("voice", "/environment")
    assert seen["ANTIPHON_DATABASE_URL"].startswith("postgresql://voice_app@127.0.0.1:")
    assert seen[HOME_MARK] == str(stack.home.path)
    assert "OPENBLAS_NUM_THREADS" not in seen
    assert "prepared postgresql://antiphon@" in stack.home.log("init").read_text()
    kill(record.processes["launcher"])
    kill(record.processes["voice"])
    await stack.recovered("launcher", record.processes["launcher"].pid)
    await stack.recovered("voice", record.processes["voice"].pid)
    assert stack.record().processes["gateway"].pid == record.processes["gateway"].pid


async def test_three_quick_deaths_are_reported_with_the_end_of_the_log(stack: StandinStack) -> None:
    record = await stack.start("service", "service")
    pid = record.processes["voice"].pid
    for _ in range(3):
        with suppress(HTTPException, ConnectionError):
            stack.ask("voice", "/crash")
        if "3 times in a row" not in stack.said():
            pid = (await stack.recovered("voice", pid)).pid
    assert "voice ended with exit code 7, 3 times in a row" in stack.said()
    assert "    a stand-in was told to crash" in stack.said()


async def test_a_service_that_cannot_start_fails_the_start_and_leaves_nothing(stack: StandinStack) -> None:
    stack.launch("service", "broken")
    assert await stack.exit_code() == 1
    assert "voice ended with exit code 1, 3 times in a row" in stack.said()
    assert "RuntimeError: the stand-in is broken on purpose" in stack.said()
    assert not stack.home.record_file.exists()


async def test_the_next_start_ends_what_a_killed_supervisor_left(stack: StandinStack) -> None:
    record = await stack.start("service", "service")
    left = record.processes["voice"]
    os.kill(left.pid, signal.SIGSTOP)  # so that it does not hear that its parent died
    os.kill(record.supervisor_pid, signal.SIGKILL)
    assert await stack.exit_code() == -signal.SIGKILL
    for name in ("gateway", "nats", "postgres"):
        await gone(record.processes[name].pid, record.processes[name].identity)
    assert is_running(left.pid, left.identity)

    after = await stack.start("service", "service")
    assert "processes were still there and are ended" in stack.said()
    assert not is_running(left.pid, left.identity)
    assert after.urls == record.urls


async def test_a_kill_of_everything_at_once_is_recovered_from(stack: StandinStack) -> None:
    record = await stack.start("service", "service")
    for pid, _ in record.pids():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await stack.exit_code()
    after = await stack.start("service", "service")
    assert after.urls == record.urls


async def test_two_stacks_run_side_by_side_and_one_home_has_one_supervisor(
    new_stack: Callable[[str], StandinStack],
) -> None:
    first, second = new_stack("first"), new_stack("second")
    first.launch("service")
    await second.start("service")
    rival = new_stack("first")
    rival.output = rival.output.with_suffix(".rival")
    rival.launch("service")
    assert await rival.exit_code() == 1
    assert "already running" in rival.said()
    rival.process = None

    async def is_ready() -> bool:
        return "READY" in first.said()

    await eventually(is_ready, within=20)
    ports = {process.port for one in (first, second) for process in one.record().processes.values()} - {None}
    assert len(ports) == 8


async def test_a_taken_gateway_port_is_refused_with_what_to_do(new_stack: Callable[[str], StandinStack]) -> None:
    first, second = new_stack("first"), new_stack("second")
    await first.start("service")
    second.port = first.port
    second.launch("service")
    assert await second.exit_code() == 1
    assert f"Port {first.port}, where the gateway should listen, is taken by gateway" in second.said()
    assert f"ANTIPHON_PORT={first.port + 1} antiphon up" in second.said()


async def test_a_stop_is_orderly_and_complete(stack: StandinStack) -> None:
    record = await stack.start("service", "service", "service")
    assert await stack.stop() == 0
    stopped = [line.split("stopped: ")[1] for line in stack.said().splitlines() if "stopped: " in line]
    assert stopped == ["gateway", "voice, generation", "postgres, nats, s3"]
    assert not [pid for pid, identity in record.pids() if is_running(pid, identity)]


async def test_a_stop_during_the_start_is_complete(stack: StandinStack) -> None:
    stack.launch("service")

    async def has_begun() -> bool:
        return stack.home.record_file.exists() and "nats" in stack.record().processes

    await eventually(has_begun)
    record = stack.record()
    assert await stack.stop() == 0
    assert "READY" not in stack.said()
    assert not [pid for pid, identity in record.pids() if is_running(pid, identity)]
