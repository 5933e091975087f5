"""How this service's errors are told."""

from __future__ import annotations

from collections.abc import Mapping

from libs.web import ProblemOf, invalid_field
from services.analytics import domain

PROBLEMS: Mapping[type[Exception], ProblemOf] = {
    domain.InvalidRange: lambda error: invalid_field(error.field, error.message),
}
