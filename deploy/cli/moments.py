"""Moments as an operator writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from deploy.embedded.errors import StackError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_moment(text: str, now: datetime) -> datetime:
    """Read an ISO time (UTC when it names no zone) or an age such as 30m, 2h, 7d. Raises StackError."""
    try:
        if age := re.fullmatch(r"([0-9]+)([smhd])", text):
            return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise StackError(f"'{text}' is neither an ISO time nor an age such as 30m, 2h or 7d.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
