"""`python -m tests.bench [suite]`: measure, print, write `.bench/<suite>.json`; fails when a target is missed."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import sys
from pathlib import Path

from tests.bench.awake import kept_awake
from tests.bench.harness import report, row

SUITES = Path(__file__).parent / "suites"


def main() -> int:
    """Run one suite and return the exit status."""
    known = sorted(module.name for module in pkgutil.iter_modules([str(SUITES)]))
    suite = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] else "main"
    if suite not in known:
        print(f"There is no suite {suite!r}. There are: {', '.join(known)}", file=sys.stderr)
        return 2
    with kept_awake() as is_awake:
        rows = asyncio.run(importlib.import_module(f"tests.bench.suites.{suite}").run())
    rows.append(row("cores kept awake meanwhile: 1 for yes", [float(is_awake)], ""))
    return 0 if report(suite, rows) else 1


if __name__ == "__main__":
    sys.exit(main())
