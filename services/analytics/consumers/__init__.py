"""What the analytics service answers: organisations appear, generations end, things come and go."""

from __future__ import annotations

import sys

from libs.messaging import declared
from services.analytics.consumers.erasing import erase_organization
from services.analytics.consumers.exporting import export_data
from services.analytics.consumers.holdings import (
    count_audio,
    count_media,
    count_recordings,
    count_voices,
    forget_audio,
    forget_media,
    forget_voices,
)
from services.analytics.consumers.spoken import record_usage, release_canceled, release_deleted, release_failed
from services.analytics.consumers.subscriptions import CHANGES_SUBSCRIPTIONS, RESERVES, begin_subscriptions

CONSUMERS = declared("analytics", sys.modules[__name__])

__all__ = [
    "CHANGES_SUBSCRIPTIONS",
    "CONSUMERS",
    "RESERVES",
    "begin_subscriptions",
    "count_audio",
    "count_media",
    "count_recordings",
    "count_voices",
    "erase_organization",
    "export_data",
    "forget_audio",
    "forget_media",
    "forget_voices",
    "record_usage",
    "release_canceled",
    "release_deleted",
    "release_failed",
]
