"""A program that runs once and succeeds."""

from __future__ import annotations

import os


def main() -> None:
    print(f"prepared {os.environ['ANTIPHON_POSTGRES_ADMIN_URL']}", flush=True)


if __name__ == "__main__":
    main()
