"""What a fork cannot do, even where a decoder does what the file wants."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LIMITED = """
import libs.audio.decode_process
from libs.bounded.process import limit
from libs.bounded import Bounds
limit(Bounds(wall_seconds=60.0, cpu_seconds=5, memory_bytes=50 * 2**20))
"""
OUT_OF_REACH = {
    "a file": ("open('/etc/hostname')", b"Too many open files"),
    "a socket": ("import _socket; _socket.socket()", b"Too many open files"),
    "memory": ("len(bytes(60 * 2**20))", b"MemoryError"),
}


@pytest.mark.parametrize(("attempt", "said"), OUT_OF_REACH.values(), ids=OUT_OF_REACH)
def test_a_fork_can_reach_nothing(attempt: str, said: bytes) -> None:
    # Imported before the limits, as everything is that a fork uses.
    code = f"import _socket\n{LIMITED}\n{attempt}"
    tried = subprocess.run((sys.executable, "-c", code), capture_output=True, check=False)
    assert said in tried.stderr
    allowed = subprocess.run((sys.executable, "-c", f"import _socket\n{attempt}"), capture_output=True, check=False)
    assert allowed.returncode == 0


def test_a_fork_writes_no_file_that_was_open_before(tmp_path: Path) -> None:
    target = tmp_path / "written"
    code = f"out = open({str(target)!r}, 'wb', buffering=0)\n{LIMITED}\nout.write(b'x')"
    tried = subprocess.run((sys.executable, "-c", code), capture_output=True, check=False)
    assert b"File too large" in tried.stderr
    assert target.read_bytes() == b""
