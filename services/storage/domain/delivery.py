"""Which part of a file answers a request: preconditions and ranges as RFC 9110 has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

CONDITIONS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range")
"""The request headers that bear on the answer, in lower case."""

_ETAG = re.compile(r'(W/)?("[^"]*")')
_RANGE = re.compile(r"bytes\s*=\s*([0-9]*)\s*-\s*([0-9]*)\s*", re.IGNORECASE)
_BEYOND_ANY_FILE = 10**18


class PreconditionFailed(Exception):
    """The client asked for the file as it was, and it is not so any more."""


class RangeNotSatisfiable(Exception):
    """The range begins behind the end of a file of `size` bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


@dataclass(frozen=True, slots=True)
class Representation:
    """What a client may hold a copy of: `etag` is strong and quoted, `modified` in whole seconds."""

    size: int
    etag: str
    modified: datetime


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `first` to `last`, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """How many bytes that is."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Selection:
    """What to send: nothing new (304), one part (206), or all (200)."""

    is_unchanged: bool = False
    part: ByteRange | None = None


def select_part(file: Representation, method: str, conditions: Mapping[str, str]) -> Selection:
    """Decide what answers a GET or HEAD that came with `conditions` (names in lower case).

    Raises PreconditionFailed (412) and RangeNotSatisfiable (416). A range that is malformed, in another
    unit or of several parts is answered with the whole file, as the RFC allows.
    """
    _require(file, conditions)
    if _is_unchanged(file, conditions):
        return Selection(is_unchanged=True)
    if method != "GET" or "range" not in conditions or not _still_valid(file, conditions.get("if-range")):
        return Selection()
    return Selection(part=parse_range(conditions["range"], file.size))


def parse_range(text: str, size: int) -> ByteRange | None:
    """Return the one range that `text` names in a file of `size` bytes; None when it names no single range.

    Raises RangeNotSatisfiable.
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        return None
    first, last = (_number(digits) for digits in match.groups())
    if first is None:
        if last is None:
            return None
        first, last = max(0, size - last), size - 1
    elif last is not None and last < first:
        return None
    if first >= size:
        raise RangeNotSatisfiable(size)
    return ByteRange(first, size - 1 if last is None else min(last, size - 1))


def _number(digits: str) -> int | None:
    if len(digits) > 18:
        return _BEYOND_ANY_FILE
    return int(digits) if digits else None


def _require(file: Representation, conditions: Mapping[str, str]) -> None:
    if "if-match" in conditions:
        if not _matches(file.etag, conditions["if-match"], weak=False):
            raise PreconditionFailed
        return
    limit = _date(conditions.get("if-unmodified-since"))
    if limit is not None and file.modified > limit:
        raise PreconditionFailed


def _is_unchanged(file: Representation, conditions: Mapping[str, str]) -> bool:
    if "if-none-match" in conditions:
        return _matches(file.etag, conditions["if-none-match"], weak=True)
    since = _date(conditions.get("if-modified-since"))
    return since is not None and file.modified <= since


def _still_valid(file: Representation, condition: str | None) -> bool:
    """Say whether the part that the client has still belongs to `file`; a weak tag never does."""
    if condition is None:
        return True
    return condition.strip() == file.etag or _date(condition) == file.modified


def _matches(etag: str, listed: str, *, weak: bool) -> bool:
    if listed.strip() == "*":
        return True
    return any(tag == etag and (weak or not is_weak) for is_weak, tag in _ETAG.findall(listed))


def _date(text: str | None) -> datetime | None:
    """Return the time that an HTTP date names; None for anything else, which the RFC says to ignore."""
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
