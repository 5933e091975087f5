"""What the analytics service answers: organisations appear, generations end."""

from __future__ import annotations

import sys

from libs.messaging import declared
from services.analytics.consumers.erasing import erase_organization
from services.analytics.consumers.exporting import export_data
from services.analytics.consumers.spoken import (
    RESERVES_CHARACTERS,
    record_usage,
    release_canceled,
    release_deleted,
    release_failed,
)
from services.analytics.consumers.subscriptions import begin_subscriptions

CONSUMERS = declared("analytics", sys.modules[__name__])

__all__ = [
    "CONSUMERS",
    "RESERVES_CHARACTERS",
    "begin_subscriptions",
    "erase_organization",
    "export_data",
    "record_usage",
    "release_canceled",
    "release_deleted",
    "release_failed",
]
