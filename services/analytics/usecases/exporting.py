"""What of an organisation's use is told when it takes its data along."""

from __future__ import annotations

from libs.outbox.exporting import Exported

EXPORTED = (
    Exported("usage_metrics", order=("created_at", "id"), person="t.user_id = $2"),
    Exported("usage_totals", order=("period", "unit")),
    Exported("usage_daily", order=("day",)),
    Exported("reservations"),
    Exported("subscriptions", order=("org_id",)),
    Exported("levels", order=("unit",)),
    Exported("quota_thresholds", order=("period", "unit", "percent")),
)
"""Which tables, and what of them."""
NOT_EXPORTED: dict[str, str] = {
    "holdings": "Sizes of what other services export; `levels` has their sums.",
    "usage_quarters": "Adds up `usage_metrics`.",
}
"""Tables with rows of organisations that are left out, and why."""
