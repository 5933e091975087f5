"""Telemetry never keeps a process from stopping."""

from __future__ import annotations

import threading
import time

from libs.telemetry.setup import SHUTDOWN_SECONDS, Telemetry


def test_an_exporter_that_hangs_is_left_behind() -> None:
    released = threading.Event()
    telemetry = Telemetry([released.wait])
    began = time.monotonic()
    telemetry.shutdown()
    assert time.monotonic() - began < SHUTDOWN_SECONDS + 1
    released.set()
