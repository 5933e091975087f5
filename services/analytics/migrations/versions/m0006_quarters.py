"""The ledger says who used something and for what, and quarters of hours add that up for every time zone."""

from __future__ import annotations

from alembic import op

from libs.database.schema import confine, isolate, see_all

revision = "0006"
down_revision = "0005"

_TABLE = """
create table usage_quarters (
    org_id uuid not null,
    begins_at timestamptz not null,
    voice_id uuid,
    key_id uuid,
    user_id uuid,
    format text,
    characters numeric not null,
    audio_seconds numeric not null,
    generations bigint not null,
    characters_cached numeric not null,
    unique nulls not distinct (org_id, begins_at, voice_id, key_id, user_id, format)
)
"""
QUARTERS = """
select org_id, date_bin('15 minutes', created_at, '2000-01-01Z') as begins_at, voice_id, key_id, user_id, format,
    coalesce(sum(quantity) filter (where unit = 'characters'), 0) as characters,
    coalesce(sum(quantity) filter (where unit = 'audio_seconds'), 0) as audio_seconds,
    count(*) filter (where unit = 'characters') as generations,
    coalesce(sum(quantity) filter (where unit = 'characters_cached'), 0) as characters_cached
from usage_metrics group by 1, 2, 3, 4, 5, 6
"""
"""What the table has to say, from the ledger."""


def upgrade() -> None:
    """Create the table and fill it from the ledger, in which nobody knows yet who it was."""
    for statement in (
        "alter table usage_metrics add column voice_id uuid, add column key_id uuid, add column format text",
        # One page of an export begins where the one before ended.
        "create index usage_metrics_order on usage_metrics (org_id, created_at, id)",
        "drop index usage_metrics_org",
        _TABLE,
        *see_all("usage_metrics"),
        f"insert into usage_quarters {QUARTERS}",
        *confine("usage_metrics"),
        *isolate("usage_quarters"),
    ):
        op.execute(statement)


def downgrade() -> None:
    """Take it back."""
    for statement in (
        "drop table usage_quarters",
        "create index usage_metrics_org on usage_metrics (org_id, created_at)",
        "drop index usage_metrics_order",
        "alter table usage_metrics drop column format, drop column key_id, drop column voice_id",
    ):
        op.execute(statement)
