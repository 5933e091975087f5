"""`python -m tests.compose`: build the image, boot docker-compose.yml, do the main job on it, take all of it down.

Works under a project name, a port and an image tag of its own, beside whatever else runs. ANTIPHON_BASE_IMAGE,
ANTIPHON_BUILD_NETWORK and PIP_INDEX_URL reach the build as docs/containers.md says.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Iterator

import aiohttp

from tests.compose.docker import ComposeFailed, DockerMissing, Project, find_compose
from tests.compose.main_job import MainJob
from tests.support.api import Api
from tests.support.pages import blocks_of, page
from tests.support.polling import eventually

READY_SECONDS = 60
COMMAND_SECONDS = 400
STEP_WIDTH = 28
SHOWN = 100
OPERATORS = (
    "provision --check",
    "dlq list",
    "events replay --since 1h --dry-run",
    "projections rebuild generation.voices",
    "audit verify",
    "usage verify",
    "storage verify",
    "embedding status",
)


class Steps:
    """Prints each step with what it took."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._step = self._began

    def begin(self, name: str) -> None:
        self._step = time.monotonic()
        print(f"  {name:<{STEP_WIDTH}}", end="", flush=True)

    def done(self, said: str = "") -> None:
        print(f"{time.monotonic() - self._step:7.2f} s  {said}".rstrip(), flush=True)

    @property
    def total(self) -> float:
        return time.monotonic() - self._began


def main() -> int:
    """Run the test and return the exit status: 0 passed, 1 failed, 2 no Docker."""
    try:
        compose = find_compose()
    except DockerMissing as missing:
        print(f"compose-test: {missing}", file=sys.stderr)
        return 2
    project = Project.choose(compose)
    print(f"compose-test: {' '.join(compose)}, project {project.name}, gateway on {project.url}", flush=True)
    steps = Steps()
    passed = False
    try:
        passed = _boot(project, steps) and asyncio.run(_work(project, steps))
    finally:
        passed = _take_down(project, steps) and passed
    print(f"compose-test: {'passed' if passed else 'FAILED'} in {steps.total:.0f} s", flush=True)
    return 0 if passed else 1


def _boot(project: Project, steps: Steps) -> bool:
    try:
        steps.begin("build the image")
        project.build()
        steps.done(project.image)
        steps.begin("start the containers")
        project.up()
        steps.done(f"{len(project.run('ps', '-q').split())} containers")
    except ComposeFailed as failure:
        steps.done("FAILED")
        print(failure, project.containers(), project.logs(), sep="\n", file=sys.stderr)
        return False
    return True


async def _work(project: Project, steps: Steps) -> bool:
    try:
        steps.begin("wait for the gateway")
        async with Api(project.url, project.read("gateway", "/etc/antiphon/api_key")) as api:
            await eventually(lambda: _is_ready(api), within=READY_SECONDS, what="the gateway's readiness")
            steps.done()
            for name, step in MainJob(api).steps():
                steps.begin(name)
                steps.done(await step())
        for name, command in _commands():
            steps.begin(name)
            steps.done(project.shell(command, within=COMMAND_SECONDS).strip().splitlines()[-1][:SHOWN])
    except (AssertionError, ComposeFailed, aiohttp.ClientError, TimeoutError) as failure:
        steps.done("FAILED")
        print(failure, project.containers(), project.logs(), sep="\n", file=sys.stderr)
        return False
    return True


def _commands() -> Iterator[tuple[str, str]]:
    """What docs/containers.md says, and the operator's commands as it says how to run them."""
    text = page("docs/containers.md")
    yield "run the page's commands", "\n".join(blocks_of(text, "sh"))
    (said,) = re.findall(r"`(docker compose run --rm init .*? )dlq list`", text)
    for command in OPERATORS:
        yield command.split(" --")[0], f"{said}{command}"


async def _is_ready(api: Api) -> bool:
    try:
        return (await api.get("/readyz")).status == 200
    except aiohttp.ClientError:
        return False


def _take_down(project: Project, steps: Steps) -> bool:
    steps.begin("take it all down")
    try:
        project.down()
    except ComposeFailed as failure:
        steps.done("FAILED")
        print(failure, file=sys.stderr)
        return False
    left = project.left_behind()
    steps.done(f"left behind: {', '.join(left)}" if left else "nothing is left behind")
    return not left


if __name__ == "__main__":
    sys.exit(main())
