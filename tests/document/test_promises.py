"""Every answer is one that the document describes: status, headers, type and schema, and never a 5xx."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.document.running import fuzz
from tests.support.stack import Stack

SEED = int(os.environ.get("FUZZ_SEED") or 5)


# 90 s on four cores of its own; beside two other folders of tests on the same cores four times that, and more.
@pytest.mark.timeout(900)
def test_answers_are_as_the_document_says(stack: Stack, tmp_path: Path) -> None:
    report = fuzz(stack, tmp_path, examples=3, phases="examples,coverage,fuzzing", seed=SEED)
    print(f"{report.requests} requests to {report.operations} operations in {report.seconds:.0f} s")
    assert report.failures == 0, report.output
    assert report.requests > 1_500
