"""Ten thousand people visit while backups are made, and one is restored: nobody is known by anything that is left."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.backup.vault import Vault
from tests.support.otlp import SpanReceiver
from tests.support.polling import eventually
from tests.support.stack import Stack, resumed_stack, running_stack
from tests.support.visits import look_everywhere, look_into_rows, visit, watched_by

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

VISITORS = 10_000


@pytest.fixture
def receiver() -> Iterator[SpanReceiver]:
    with SpanReceiver.running(keeps_bodies=True) as running:
        yield running


@pytest.fixture
def vault() -> Iterator[Vault]:
    with tempfile.TemporaryDirectory(prefix="antiphon-backup-") as folder:
        yield Vault(Path(folder) / "vault")


@pytest.fixture
def stack(vault: Vault, receiver: SpanReceiver) -> Iterator[Stack]:
    settings = {"ANTIPHON_ENGINE_PROCESSES": "2", "ANTIPHON_BACKUP_DIR": str(vault.path)}
    with running_stack(settings | watched_by(receiver)) as running:
        yield running


async def test_of_ten_thousand_who_visit_nobody_is_known_afterwards(
    stack: Stack, vault: Vault, receiver: SpanReceiver, tmp_path: Path
) -> None:
    begun = time.monotonic()
    visits = await visit(stack, VISITORS)
    told = time.monotonic()

    async def is_covered() -> bool:
        return any(one.until >= visits.ended for one in vault.coverages())

    await eventually(is_covered, within=60, what="the log of all visits")
    await look_everywhere(stack, vault.path, receiver, visits)
    looked = time.monotonic()
    stack.run("restore", "--to", "latest", "--into", str(tmp_path / "home"))
    with resumed_stack(tmp_path / "home") as restored:
        await look_into_rows(restored, visits)
    print(
        f"{VISITORS} visitors came in {told - begun:.0f} s, were looked for everywhere in {looked - told:.0f} s, "
        f"and in what was restored in {time.monotonic() - looked:.0f} s"
    )
