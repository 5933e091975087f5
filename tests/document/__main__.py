"""Fuzz a stack of its own with at least 20,000 requests: what `make fuzz` runs."""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path

from tests.document.running import fuzz, unlimited_stack

REQUESTS = 20_000


def main() -> None:
    """Fuzz until there were enough requests; exit 1 if an answer was wrong."""
    seed = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().randrange(2**31))
    sent = failures = 0
    with unlimited_stack() as stack, tempfile.TemporaryDirectory() as folder:
        for turn in range(10):
            report = fuzz(
                stack, Path(folder), examples=100, phases="examples,coverage,fuzzing,stateful", seed=seed + turn
            )
            sent, failures = sent + report.requests, failures + report.failures
            print(
                f"seed {seed + turn}: {report.requests} requests to {report.operations} operations, {sent} in all",
                flush=True,
            )
            if report.failures:
                print(report.output, flush=True)
            if sent >= REQUESTS:
                break
    if failures or sent < REQUESTS:
        sys.exit(f"fuzz: {failures} failures in {sent} requests; FUZZ_SEED={seed} repeats them")
    print(f"fuzz: {sent} requests, each answered as the document says")


if __name__ == "__main__":
    main()
