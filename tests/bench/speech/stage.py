"""What all areas are measured on: a stack, the baseline beside it, and a client of each."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
import psutil
from sqlalchemy.engine import make_url

from deploy.embedded.environment import program_environment
from deploy.embedded.home import Home
from deploy.embedded.ports import read_ports
from deploy.embedded.probes import find_obstacle, until_clear
from deploy.embedded.programs import PROGRAMS
from libs import outbox
from libs.apikeys import new_api_key
from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationCreated
from libs.database import Database
from libs.ids import new_id
from services.gateway.domain.credentials import digest_of, shown_prefix
from services.gateway.domain.keys import ApiKey
from services.gateway.domain.organizations import Organization
from services.gateway.store import organizations as store
from tests.bench.speech.asking import Voice, everyday_voice
from tests.bench.speech.bare import Bare, running_bare
from tests.support.api import Api
from tests.support.outbox import UNSENT
from tests.support.polling import eventually
from tests.support.stack import ROOT, Stack, free_port, running_stack

WORKER = next(program for program in PROGRAMS if program.name == "worker")
WORKER_SECONDS = 60.0
IS_LONG = os.environ.get("BENCH_LONG") == "1"
"""Whether to take the time for what is asked of long runs: `make bench SUITE=speech BENCH_LONG=1`."""


@dataclass(frozen=True)
class Stage:
    """A running stack and its client; `engine_processes` are those of its one worker."""

    stack: Stack
    api: Api
    voice: Voice
    engine_processes: int

    @property
    def worker(self) -> psutil.Process:
        """The worker that the stack keeps running."""
        return psutil.Process(self.stack.pid("worker"))

    @contextmanager
    def bare(self, *, keeps: bool = False) -> Iterator[Bare]:
        """Run the baseline with as many engine processes, speaking with the same voice; one `keeps` what it speaks."""
        with running_bare(self.engine_processes, self.voice.name, self.stack.exports() if keeps else None) as bare:
            yield bare

    async def rows(self, service: str, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Return what a service's database has, of whatever organisation."""
        connection = await asyncpg.connect(
            self.stack.exports()["ANTIPHON_POSTGRES_ADMIN_URL"], database=f"antiphon_{service}"
        )
        try:
            rows: list[asyncpg.Record] = await connection.fetch(query, *arguments)
        finally:
            await connection.close()
        return rows


@asynccontextmanager
async def staged(engine_processes: int | None = None) -> AsyncIterator[Stage]:
    """Run a stack whose worker has so many engine processes, as many as there are cores unless told otherwise."""
    processes = engine_processes or os.cpu_count() or 1
    with running_stack({"ANTIPHON_ENGINE_PROCESSES": str(processes)}) as stack:
        async with Api(stack.url, stack.api_key) as api:
            yield Stage(stack, api, await everyday_voice(api), processes)


@asynccontextmanager
async def more_workers(stage: Stage, count: int) -> AsyncIterator[None]:
    """Run more workers beside the stack's, with as many engine processes each."""
    home = Home(stage.stack.home)
    async with AsyncExitStack() as running:
        for _ in range(count):
            port = free_port()
            ports = {**read_ports(home.ports_file), WORKER.name: port}
            environment = program_environment(WORKER, home, ports, stage.stack.environment)
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", WORKER.module, env=environment, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL
            )
            running.push_async_callback(_ended, process)
            health = f"http://127.0.0.1:{port}/readyz"
            await until_clear(lambda health=health: find_obstacle(health), WORKER_SECONDS)  # type: ignore[misc]
        yield


async def _ended(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    await process.wait()


async def new_organization(stage: Stage) -> str:
    """Make another organisation on the largest plan; return its API key."""
    org_id, key, now = new_id(), new_api_key(), datetime.now(UTC)
    url = make_url(stage.stack.exports()["ANTIPHON_GATEWAY_DATABASE_URL"])
    database = Database(
        url.set(password=None).render_as_string(),  # the environment has it with the password
        str(url.password),
        application="bench",
        hooks=[UNSENT],
    )
    async with database.transaction(org_id) as session:
        await store.insert_organization(session, Organization(org_id, "Another", "enterprise", now))
        outbox.add(session, OrganizationCreated(org_id=str(org_id), name="Another", plan="enterprise", created_at=now))
        await store.insert_key(session, ApiKey(new_id(), org_id, "Key", shown_prefix(key), digest_of(key), now))
    await database.close()

    async def subscribed() -> list[asyncpg.Record]:
        return await stage.rows("analytics", "select 1 from subscriptions where org_id = $1", org_id)

    await eventually(subscribed, within=30, what="the subscription of the new organisation")
    return key
