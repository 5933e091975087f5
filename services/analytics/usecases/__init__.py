"""What may be used, what was used, and what is told about it."""

from __future__ import annotations

from services.analytics.usecases.deps import Deps
from services.analytics.usecases.erasing import erase_organization
from services.analytics.usecases.lines import export_ledger
from services.analytics.usecases.partitions import keep_partitions, tend_partitions
from services.analytics.usecases.reporting import get_usage
from services.analytics.usecases.reserving import release_expired, reserve
from services.analytics.usecases.subscribing import apply_due_changes, change_subscription, get_subscription
from services.analytics.usecases.sweeping import find_differences, keep_limits, reconcile, sweep, sweep_once
from services.analytics.usecases.verifying import repair_sums, verify_sums

__all__ = [
    "Deps",
    "apply_due_changes",
    "change_subscription",
    "erase_organization",
    "export_ledger",
    "find_differences",
    "get_subscription",
    "get_usage",
    "keep_limits",
    "keep_partitions",
    "reconcile",
    "release_expired",
    "repair_sums",
    "reserve",
    "sweep",
    "sweep_once",
    "tend_partitions",
    "verify_sums",
]
