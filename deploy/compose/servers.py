"""Wait until servers do their work: `python -m deploy.compose.servers URL...`.

Not every server's image has something in it that could ask, so this asks for all of them.
"""

from __future__ import annotations

import asyncio
import sys

from deploy.embedded.errors import StackError
from deploy.embedded.probes import find_obstacle, until_clear

READY_SECONDS = 120.0
"""A server may have to recover from a crash first."""


async def main(addresses: list[str]) -> None:
    """Raises StackError with what kept the slowest one."""
    async with asyncio.TaskGroup() as group:
        for address in addresses:
            group.create_task(_until_ready(address))


async def _until_ready(address: str) -> None:
    await until_clear(lambda: find_obstacle(address), READY_SECONDS)
    print(f"{address} is ready", flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1:]))
    except* StackError as failures:
        sys.exit("\n".join(str(failure) for failure in failures.exceptions) + "\nLook at: docker compose logs")
