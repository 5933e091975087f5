"""The analytics service's tables and the statements on them."""

from __future__ import annotations

from services.analytics.store.differences import Difference, list_differences
from services.analytics.store.ledger import drop_partitions, make_partitions, record_usage
from services.analytics.store.lines import list_lines
from services.analytics.store.quotas import (
    GONE,
    Holding,
    Reached,
    correct_holdings,
    get_holdings,
    list_holdings,
    save_holdings,
    save_thresholds,
)
from services.analytics.store.repairs import add_up_levels, add_up_month
from services.analytics.store.reports import get_local_day, get_report, list_zones
from services.analytics.store.reservations import (
    get_reservation,
    get_standing,
    hold_reservation,
    list_expired,
    lock_organization,
    release_expired,
    release_reservations,
    settle_reservations,
)
from services.analytics.store.rollups import QuarterDifference, add_quarters, list_quarter_differences
from services.analytics.store.subscriptions import (
    get_plans,
    get_subscription,
    list_due_subscriptions,
    list_subscriptions,
    save_limits,
    save_subscription,
    save_subscriptions,
)
from services.analytics.store.usage import list_days

__all__ = [
    "GONE",
    "Difference",
    "Holding",
    "QuarterDifference",
    "Reached",
    "add_quarters",
    "add_up_levels",
    "add_up_month",
    "correct_holdings",
    "drop_partitions",
    "get_holdings",
    "get_local_day",
    "get_plans",
    "get_report",
    "get_reservation",
    "get_standing",
    "get_subscription",
    "hold_reservation",
    "list_days",
    "list_differences",
    "list_due_subscriptions",
    "list_expired",
    "list_holdings",
    "list_lines",
    "list_quarter_differences",
    "list_subscriptions",
    "list_zones",
    "lock_organization",
    "make_partitions",
    "record_usage",
    "release_expired",
    "release_reservations",
    "save_holdings",
    "save_limits",
    "save_subscription",
    "save_subscriptions",
    "save_thresholds",
    "settle_reservations",
]
