"""The README's first requests, executed as they stand."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from deploy.setup.sdks import ensure_sdk
from tests.sdks.suites import VERSIONS
from tests.support.pages import blocks_of, page, run_commands
from tests.support.stack import Stack


def first_requests() -> str:
    section = re.search(r"^## First requests\n(.*?)^## ", page("README.md"), re.DOTALL | re.MULTILINE)
    assert section is not None
    return section[1]


def test_the_first_requests_work_as_written(stack: Stack, tmp_path: Path) -> None:
    assert len(blocks_of(first_requests(), "sh")) >= 5
    printed = run_commands(stack, tmp_path, first_requests())
    assert "problem" not in printed
    for file in ("hello.mp3", "line.mp3"):
        assert (tmp_path / file).stat().st_size > 2_000
    assert '"characters":["H","e","l","l","o"' in printed.replace(" ", "")


@pytest.mark.parametrize("vendor", VERSIONS)
def test_other_vendors_clients_work_as_written(stack: Stack, tmp_path: Path, vendor: str) -> None:
    (program,) = (block for block in blocks_of(first_requests(), "python") if f"from {vendor} import" in block)
    done = subprocess.run(
        [str(ensure_sdk(VERSIONS[vendor][0])), "-I", "-c", program],
        cwd=tmp_path,
        env={**stack.environment, "ANTIPHON_URL": stack.url, "ANTIPHON_API_KEY": stack.api_key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"{vendor}.mp3").stat().st_size > 10_000
