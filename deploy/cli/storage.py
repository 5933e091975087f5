"""Commands about what is kept in the object store: reading it once more, having it made again, sweeping it."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.administration import administered_database
from deploy.embedded.errors import StackError
from deploy.embedded.home import find_home

if TYPE_CHECKING:
    from libs.objectstore import ObjectStore
    from services.generation.usecases.sweeping import Swept

app = typer.Typer(help="Look after what is kept in the object store.", no_args_is_help=True)

MIB = 2**20
SHOWN = 50
"""Flaws that are named one by one."""

OlderThan = Annotated[
    float, typer.Option("--older-than", min=0, help="Hours; what is younger may still be written down.")
]


@app.command()
def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Have made again what can be made again.")] = False,
    rate: Annotated[float, typer.Option("--rate", min=0.01, help="MiB a second that are read at most.")] = 20.0,
    older_than: OlderThan = 24.0,
) -> None:
    """Read everything once more, and compare it with its SHA-256; exit status 1 when something is wrong.

    Tracks, the pieces of speech that they were joined of, media, and the recordings and previews of voices.

    Safe while the system runs.
    """
    if not asyncio.run(_verify(repair=repair, rate=rate, grace=timedelta(hours=older_than))):
        raise typer.Exit(1)


@app.command()
def sweep(
    older_than: OlderThan = 24.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be removed.")] = False,
) -> None:
    """Have objects removed that nothing refers to. The system does so by itself once a day."""
    asyncio.run(_sweep(grace=timedelta(hours=older_than), tell=not dry_run))


async def _verify(*, repair: bool, rate: float, grace: timedelta) -> bool:
    from deploy.cli.verifying import Verification
    from libs.objectstore import ObjectStoreUnavailable

    progress = _Progress()
    async with AsyncExitStack() as stack:
        databases = {
            name: await stack.enter_async_context(administered_database(name))
            for name in ("storage", "generation", "voice")
        }
        objects = await stack.enter_async_context(_object_store())
        verification = Verification(databases, objects, rate * MIB)
        try:
            async for so_far in verification.run():
                progress.say(so_far)
        except ObjectStoreUnavailable as error:
            raise StackError(f"The object store stays away: {error}. Nothing was changed; try again later.") from None
        verification.report(SHOWN)
        if repair:
            await verification.repair()
    strays = await _swept(grace=grace, tell=False)
    print(f"unreferenced: {strays.strays:,} objects, {strays.stray_bytes / MIB:,.1f} MiB")
    return not verification.flaws


async def _sweep(*, grace: timedelta, tell: bool) -> None:
    found = await _swept(grace=grace, tell=tell)
    print(f"looked at {found.objects:,} objects")
    print(f"{'to be removed' if tell else 'unreferenced'}: {found.strays:,}, {found.stray_bytes / MIB:,.1f} MiB")


async def _swept(*, grace: timedelta, tell: bool) -> Swept:
    from libs.objectstore import ObjectStoreUnavailable
    from services.generation.usecases.sweeping import Swept
    from services.generation.usecases.sweeping import sweep as sweep_objects

    progress, found = _Progress(), Swept()
    async with administered_database("generation") as database, _object_store() as objects:
        try:
            swept = sweep_objects(database, objects, grace=grace, clock=lambda: datetime.now(UTC), tell=tell)
            async for found in swept:
                progress.say(f"{found.objects:,} objects")
        except ObjectStoreUnavailable as error:
            raise StackError(f"The object store is away: {error}. Try again later; it begins anew.") from None
    return found


class _Progress:
    """Says on standard error how far something is, once a second at most."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def say(self, text: str) -> None:
        if time.monotonic() - self._said >= 1:
            self._said = time.monotonic()
            print(text, file=sys.stderr, flush=True)


@asynccontextmanager
async def _object_store() -> AsyncIterator[ObjectStore]:
    from libs.objectstore import ObjectStore, ObjectStoreAddress

    environment = os.environ if os.environ.get("ANTIPHON_S3_ENDPOINT") else _stack_exports()
    store = ObjectStore(
        ObjectStoreAddress(
            endpoint=environment["ANTIPHON_S3_ENDPOINT"].rstrip("/"),
            region=environment.get("ANTIPHON_S3_REGION", "us-east-1"),
            bucket=environment.get("ANTIPHON_S3_BUCKET", "antiphon"),
            access_key=_secret(environment, "ANTIPHON_S3_ACCESS_KEY"),
            secret_key=_secret(environment, "ANTIPHON_S3_SECRET_KEY"),
        )
    )
    try:
        yield store
    finally:
        await store.close()


def _secret(environment: Mapping[str, str], name: str) -> str:
    if file := environment.get(f"{name}_FILE"):
        return Path(file).read_text(encoding="utf-8").strip()
    if name not in environment:
        raise StackError(f"ANTIPHON_S3_ENDPOINT is set, but neither {name} nor {name}_FILE.")
    return environment[name]


def _stack_exports() -> dict[str, str]:
    from deploy.embedded.environment import shell_exports
    from deploy.embedded.ports import read_ports

    home = find_home()
    if home.holder() is None:
        raise StackError(f"No stack is running in {home.path}. Start it, or set ANTIPHON_S3_ENDPOINT.")
    return shell_exports(home, read_ports(home.ports_file))
