"""The README's first requests, executed as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.setup.sdks import ensure_sdk
from tests.sdks.suites import VERSIONS
from tests.support.stack import ROOT, Stack


def blocks_of(language: str) -> list[str]:
    """The blocks of the README's section that are in a language, in their order."""
    section = re.search(r"^## First requests\n(.*?)^## ", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert section is not None
    return re.findall(rf"^```{language}\n(.*?)^```", section[1], re.DOTALL | re.MULTILINE)


def test_the_first_requests_work_as_written(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    blocks = blocks_of("sh")
    assert len(blocks) >= 5
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        cwd=tmp_path,
        env=dict(stack.environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "problem" not in done.stdout
    for file in ("hello.mp3", "line.mp3"):
        assert (tmp_path / file).stat().st_size > 2_000
    assert '"characters":["H","e","l","l","o"' in done.stdout.replace(" ", "")


@pytest.mark.parametrize("vendor", VERSIONS)
def test_other_vendors_clients_work_as_written(stack: Stack, tmp_path: Path, vendor: str) -> None:
    (program,) = (block for block in blocks_of("python") if f"from {vendor} import" in block)
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
