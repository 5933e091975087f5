"""A service that cannot start."""

from __future__ import annotations


def main() -> None:
    raise RuntimeError("the stand-in is broken on purpose")


if __name__ == "__main__":
    main()
