from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.embedded.home import Home
from deploy.embedded.launching import ForkingLauncher, InterpreterLauncher, Launcher, choose_launcher
from deploy.embedded.probes import find_obstacle, until_clear
from deploy.embedded.processes import Children, adopt_orphans, has_pidfd
from tests.integration.embedded.conftest import free_port

SERVICE = "tests.support.standin.service"


@pytest.fixture(params=["chosen", "interpreter", "interpreter, watched from a thread"])
async def launcher(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Launcher]:
    """The launcher for this system, and the one for systems that adopt or watch no processes, as it is there."""
    home, children = Home(tmp_path), Children()
    if request.param == "interpreter, watched from a thread":
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    adopt_orphans()
    made: Launcher = (
        choose_launcher(home, children, [SERVICE]) if request.param == "chosen" else InterpreterLauncher(home, children)
    )
    await made.open()
    yield made
    await made.close()
    await children.end_all(5)


def test_services_are_forked_wherever_processes_are_adopted_and_watched(tmp_path: Path) -> None:
    chosen = choose_launcher(Home(tmp_path), Children(), [SERVICE])
    can_fork = has_pidfd() and adopt_orphans()
    assert isinstance(chosen, ForkingLauncher if can_fork else InterpreterLauncher)


def test_nobody_is_forked_who_could_not_be_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    assert isinstance(choose_launcher(Home(tmp_path), Children(), [SERVICE]), InterpreterLauncher)


async def test_a_launched_service_serves_and_stops(launcher: Launcher, tmp_path: Path) -> None:
    port = free_port()
    environment = {"ANTIPHON_HOST": "127.0.0.1", "ANTIPHON_PORT": str(port), "PATH": os.environ["PATH"]}
    child = await launcher.launch("voice", SERVICE, environment)
    await until_clear(lambda: find_obstacle(f"http://127.0.0.1:{port}/readyz"), 30)
    assert os.getsid(child.pid) == child.pid
    assert not child.ended
    assert await child.stop(signal.SIGTERM, 30)
    assert await child.wait() == 0
    assert (tmp_path / "logs" / "voice.log").read_text() == "a stand-in serves\n"


async def test_the_reason_of_a_failure_is_in_the_log(launcher: Launcher, tmp_path: Path) -> None:
    child = await launcher.launch("broken", "tests.support.standin.broken", {})
    assert await child.wait() == 1
    assert "RuntimeError: the stand-in is broken on purpose" in (tmp_path / "logs" / "broken.log").read_text()
    missing = await launcher.launch("missing", "tests.support.standin.nowhere", {})
    assert await missing.wait() == 1
    assert "No module named" in (tmp_path / "logs" / "missing.log").read_text()


async def test_a_killed_service_is_reported_with_its_signal(launcher: Launcher) -> None:
    environment = {"ANTIPHON_HOST": "127.0.0.1", "ANTIPHON_PORT": str(free_port())}
    child = await launcher.launch("voice", SERVICE, environment)
    child.send(signal.SIGKILL)
    assert await child.wait() == -signal.SIGKILL
    child.send(signal.SIGTERM)  # it has ended: nobody is signalled


async def test_many_at_once_get_each_their_own_environment(launcher: Launcher) -> None:
    names = [f"s{number}" for number in range(3)]
    ports = {name: free_port() for name in names}
    children = [
        await launcher.launch(name, SERVICE, {"ANTIPHON_HOST": "127.0.0.1", "ANTIPHON_PORT": str(ports[name])})
        for name in names
    ]
    assert len({child.pid for child in children}) == 3
    for port in ports.values():
        await until_clear(lambda port=port: find_obstacle(f"http://127.0.0.1:{port}/"), 30)  # type: ignore[misc]
    for child in children:
        await child.stop(signal.SIGTERM, 30)
