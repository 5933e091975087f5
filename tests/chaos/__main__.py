"""`python -m tests.chaos`: run seeds and print their figures; fails when an audit finds something.

CHAOS_SECONDS: how long faults go on (180). CHAOS_SEED: one seed; CHAOS_SEEDS: several. Without either a seed is
drawn, and printed: with it the same schedule comes again.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys

from tests.chaos.schedule import schedule
from tests.chaos.seeded import run


def main() -> int:
    """Run and return the exit status."""
    seconds = float(os.environ.get("CHAOS_SECONDS") or 180)
    chosen = os.environ.get("CHAOS_SEEDS") or os.environ.get("CHAOS_SEED") or str(secrets.randbelow(10**6))
    sound = True
    for seed in map(int, chosen.split()):
        print(f"CHAOS_SEED={seed} CHAOS_SECONDS={seconds:g}", flush=True)
        if len(chosen.split()) == 1:
            print("\n".join(str(fault) for fault in schedule(seed, seconds)), flush=True)
        try:
            outcome = asyncio.run(run(seed, seconds))
        except AssertionError as error:
            print(f"seed {seed}: NOT SOUND: {error}", flush=True)
            sound = False
            continue
        print(outcome, flush=True)
        for problem in outcome.findings.problems[:20]:
            print(f"  {problem}")
        sound = sound and not outcome.findings.problems
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
