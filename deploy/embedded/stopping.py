"""Stopping a stack from outside, also one whose supervisor does not answer or is gone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from deploy.embedded import leftovers
from deploy.embedded.home import Home
from deploy.embedded.record import read_record

_ORDERLY_SECONDS = 60.0
_HURRIED_SECONDS = 10.0


def stop_stack(home: Home, announce: Callable[[str], None]) -> None:
    """Ask the supervisor to stop; insist after a minute, and end its processes without it in the end.

    Raises StackError when processes remain.
    """
    began = time.monotonic()
    supervisor = home.holder()
    if supervisor is not None:
        announce(f"stopping the stack in {home.path}")
        # A second request makes the supervisor kill what still runs; the last one leaves it to us.
        for number, seconds in (
            (signal.SIGTERM, _ORDERLY_SECONDS),
            (signal.SIGTERM, _HURRIED_SECONDS),
            (signal.SIGKILL, _HURRIED_SECONDS),
        ):
            with suppress(ProcessLookupError):
                os.kill(supervisor, number)
            if _released(home, seconds):
                break
            announce(f"it has not stopped after {time.monotonic() - began:.0f} s")
    remaining = _end_leftovers(home)
    if supervisor is None and not remaining:
        announce(f"Nothing is running in {home.path}.")
    else:
        announce(f"stopped in {time.monotonic() - began:.1f} s")


def _released(home: Home, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if home.holder() is None:
            return True
        time.sleep(0.02)
    return False


def _end_leftovers(home: Home) -> int:
    """End what a killed supervisor left; an orderly end leaves no record, and nothing to look for."""
    if not home.record_file.exists():
        return 0
    record = read_record(home)
    found = leftovers.find_leftovers(home.path, record.pids() if record else ())
    leftovers.end_leftovers(found)
    home.record_file.unlink(missing_ok=True)
    return len(found)
