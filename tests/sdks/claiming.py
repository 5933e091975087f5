"""How a check says which routes it claims to work; read both by what runs it and by what writes the table of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

UNKNOWN_TO_THIS_VERSION = "this version of the client does not know it"
"""What a check returns that could not show what it claims."""

E = TypeVar("E", bound=Exception)
Check = Callable[[dict[str, Any]], Any]  # Any: what is given and returned is JSON of each check's own kind


def claims(*routes: str) -> Callable[[Check], Check]:
    """Mark a check as one that shows `routes` (`GET /v1/voices/{voice_id}`) to work."""

    def mark(check: Check) -> Check:
        check.routes = routes  # type: ignore[attr-defined]  # functions take attributes
        return check

    return mark


def failure_of(call: Callable[[], object], kind: type[E]) -> E:
    """Return what `call` raises, which must be of `kind`."""
    try:
        call()
    except kind as failure:
        return failure
    raise AssertionError(f"no {kind.__name__} came")
