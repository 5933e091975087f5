"""The analytics service's tables and the statements on them."""

from __future__ import annotations

from services.analytics.store.ledger import make_partitions, record_usage
from services.analytics.store.reports import get_local_day, get_report, list_zones
from services.analytics.store.reservations import (
    get_reservation,
    hold_reservation,
    lock_organization,
    release_reservations,
    settle_reservations,
    used_and_reserved,
)
from services.analytics.store.rollups import add_quarters
from services.analytics.store.subscriptions import get_subscription, save_subscriptions
from services.analytics.store.usage import list_days

__all__ = [
    "add_quarters",
    "get_local_day",
    "get_report",
    "get_reservation",
    "get_subscription",
    "hold_reservation",
    "list_days",
    "list_zones",
    "lock_organization",
    "make_partitions",
    "record_usage",
    "release_reservations",
    "save_subscriptions",
    "settle_reservations",
    "used_and_reserved",
]
