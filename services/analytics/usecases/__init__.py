"""What may be used, what was used, and what is told about it."""

from __future__ import annotations

from services.analytics.usecases.deps import Deps
from services.analytics.usecases.erasing import erase_organization
from services.analytics.usecases.partitions import keep_partitions
from services.analytics.usecases.reporting import get_usage
from services.analytics.usecases.reserving import reserve

__all__ = [
    "Deps",
    "erase_organization",
    "get_usage",
    "keep_partitions",
    "reserve",
]
