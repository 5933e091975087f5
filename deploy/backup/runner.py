"""The process that keeps backups going beside a stack: the log and objects as they come, backups by the schedule.

`antiphon up` runs it when ANTIPHON_BACKUP_DIR is set. `/readyz` says whether everything that is due was done.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.backup import making, retention, wal
from deploy.backup.contents import Contents
from deploy.backup.manifest import Damaged
from deploy.backup.settings import BackupSettings, read_settings
from deploy.backup.source import Source, ToolFailed
from deploy.backup.tail import follow
from deploy.backup.vault import Vault
from deploy.embedded.errors import StackError
from deploy.embedded.home import Home
from deploy.embedded.processes import HOME_MARK
from libs.niceness import step_back

MARK_SECONDS = 5.0
"""How far the log reaches is written down so often, which is how near to the present a moment can be restored."""
_NICENESS = 5
"""Nobody waits for a backup."""
_LOOK_SECONDS = 5.0
_PAUSE_SECONDS = 5.0
_OVERLAP = timedelta(minutes=2)
"""The journal of objects is read again from so long before, as what was last in it may have come late."""


@dataclass
class Health:
    """What does not work at the moment, by what it is."""

    troubles: dict[str, str] = field(default_factory=dict)

    def answer(self) -> bytes:
        """What HTTP says about it."""
        text = "; ".join(f"{name}: {trouble}" for name, trouble in self.troubles.items()) or "ok"
        status = "503 Service Unavailable" if self.troubles else "200 OK"
        body = text.replace("\n", " ").encode()
        head = [f"HTTP/1.1 {status}", "Content-Type: text/plain", f"Content-Length: {len(body)}", "Connection: close"]
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Runner:
    """Keeps the backups of one stack going."""

    def __init__(self, source: Source, vault: Vault, settings: BackupSettings, say: Callable[[str], None]) -> None:
        self._source = source
        self._vault = vault
        self._settings = settings
        self._say = say
        self._followed = datetime.now(UTC)
        self.health = Health()

    async def run(self) -> None:
        """Go on until cancelled; what fails is said, shown as unhealthy, and tried again."""
        async with asyncio.TaskGroup() as group:
            for name, work in (("log", self._fetch_log), ("marks", self._mark), ("objects", self._follow_objects)):
                group.create_task(self._again_and_again(name, work))
            group.create_task(self._again_and_again("backup", self._back_up_when_due))

    async def _again_and_again(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
                self.health.troubles.pop(name, None)
            except (StackError, Damaged, OSError) as error:
                self._say(f"{name}: {error}")
                self.health.troubles[name] = str(error)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _fetch_log(self) -> None:
        line = await wal.attach(self._source, self._vault)
        try:
            await wal.receive(self._source, self._vault, line)
        except ToolFailed as error:
            if "already been removed" not in error.said and "ahead of" not in error.said:
                raise
            # Neither the slot nor anything else has the rest: a new line begins, and needs a full backup.
            self._say(f"the log of {line.name} has a gap and ends there")
            await wal.give_up(self._source, line)

    async def _mark(self) -> None:
        while True:
            line = await wal.attach(self._source, self._vault)
            await wal.catch_up(self._source, self._vault, line, fetch=False)
            for name in ("marks", "log"):
                self.health.troubles.pop(name, None)
            await asyncio.sleep(MARK_SECONDS)

    async def _follow_objects(self) -> None:
        since = self._followed - _OVERLAP
        self._followed = datetime.now(UTC)
        self.health.troubles.pop("objects", None)
        # What was written while nobody followed is found by looking at all; the journal is read from before that.
        await making.copy_objects(self._source, self._vault, lambda _: None)
        with closing(Contents(self._vault.objects)) as contents:
            await follow(self._source, contents, since)

    async def _back_up_when_due(self) -> None:
        while True:
            line = await wal.attach(self._source, self._vault)
            plan = making.plan_next(self._vault.records(), line, self._settings, datetime.now(UTC))
            if plan is not None:
                record = await making.make_due(self._source, self._vault, plan, lambda _: None)
                self._say(f"made {record.id}: {record.new_bytes:,} bytes in {record.seconds:g} s")
                removed = await asyncio.to_thread(retention.apply, self._vault, self._settings.keep, datetime.now(UTC))
                if removed.backups:
                    self._say(f"removed {', '.join(removed.backups)} and {removed.object_bytes:,} bytes of objects")
            self.health.troubles.pop("backup", None)
            await asyncio.sleep(_LOOK_SECONDS)


async def _serve(runner: Runner, host: str, port: int) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(runner.health.answer())
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return  # whoever asked has gone
        finally:
            writer.close()

    server = await asyncio.start_server(answer, host, port)
    work = asyncio.create_task(runner.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        return
    finally:
        server.close()


def main() -> None:
    """Run beside the stack that the environment names; what keeps it from that is said in one line."""
    step_back(_NICENESS)
    try:
        settings = read_settings()
        home = Home(Path(os.environ[HOME_MARK]))
        vault = Vault(settings.directory)
        vault.prepare()
        with vault.serving(home.path):
            runner = Runner(Source(home), vault, settings, _say)
            asyncio.run(_serve(runner, os.environ["ANTIPHON_HOST"], int(os.environ["ANTIPHON_PORT"])))
    except StackError as error:
        sys.exit(str(error))


def _say(text: str) -> None:
    print(f"{datetime.now(UTC).isoformat(timespec='seconds')} {text}", flush=True)


if __name__ == "__main__":
    main()
