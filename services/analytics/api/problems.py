"""How this service's errors are told."""

from __future__ import annotations

from collections.abc import Mapping

from libs.web import ProblemOf, invalid_field
from services.analytics import domain
from services.analytics.domain.reports import InvalidGroups, UnknownZone

PROBLEMS: Mapping[type[Exception], ProblemOf] = {
    InvalidGroups: lambda error: invalid_field("group_by", str(error)),
    UnknownZone: lambda _error: invalid_field("tz", "is no time zone; use an IANA name such as Europe/Berlin"),
    domain.InvalidRange: lambda error: invalid_field(error.field, error.message),
}
