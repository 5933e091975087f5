"""Reading everything that was backed up again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing

from deploy.backup import wal
from deploy.backup.contents import Contents
from deploy.backup.making import verify_database
from deploy.backup.manifest import Damaged
from deploy.backup.source import Source
from deploy.backup.vault import Vault
from deploy.embedded.errors import StackError
from deploy.embedded.home import Home


async def check(home: Home, vault: Vault, show: Callable[[str], None]) -> list[str]:
    """Check every backup with its parents, every line of the log and every content; returns what is wrong."""
    problems = []
    records = vault.records()
    for record in records:
        show(f"verifying {record.id}")
        try:
            vault.chain(record)
            await verify_database(vault.database(record.id), show)
        except (Damaged, StackError) as error:
            problems.append(f"{record.id}: {error}")
    for coverage in vault.coverages():
        own = [record for record in records if record.line == coverage.line]
        if not own:
            continue
        show(f"verifying the log of {coverage.line}")
        try:
            start = own[0].start_position
            await wal.verify_log(Source(home), vault, coverage.line, coverage.timeline, start, coverage.position)
        except Damaged as error:
            problems.append(str(error))
    problems += await asyncio.to_thread(_check_contents, vault, show)
    return problems


def _check_contents(vault: Vault, show: Callable[[str], None]) -> list[str]:
    problems = []
    with closing(Contents(vault.objects)) as contents:
        for number, problem in enumerate(contents.damaged(), 1):
            show(f"verifying objects: {number:,}")
            if problem is not None:
                problems.append(problem)
    return problems
