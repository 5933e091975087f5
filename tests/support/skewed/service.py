"""The program that stands in for a service's: the same one, in an interpreter whose clock is wrong from the start."""

from __future__ import annotations

import os
import sys

from deploy.embedded.home import REPOSITORY

MODULE, SECONDS = "SKEWED_MODULE", "SKEWED_SECONDS"


def main() -> None:
    """Become the service; its modules may have been imported here already, with the right clock."""
    arguments = [sys.executable, "-m", "tests.support.skewed.interpreter", os.environ[MODULE], os.environ[SECONDS]]
    os.execve(sys.executable, arguments, {**os.environ, "PYTHONPATH": str(REPOSITORY)})  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main()
