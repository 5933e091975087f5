"""The analytics service's tables."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, MetaData, Numeric, Table, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid

_metadata = MetaData()
uuid_type = PgUuid(as_uuid=True)
usage_totals = Table(
    "usage_totals",
    _metadata,
    Column("org_id", uuid_type, primary_key=True),
    Column("period", Date, primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("quantity", Numeric),
)
usage_daily = Table(
    "usage_daily",
    _metadata,
    Column("org_id", uuid_type, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("characters", Numeric),
    Column("audio_seconds", Numeric),
    Column("generations", BigInteger),
    Column("characters_cached", Numeric),
)
reservations = Table(
    "reservations",
    _metadata,
    Column("id", uuid_type, primary_key=True),
    Column("org_id", uuid_type),
    Column("characters", BigInteger),
    Column("status", Text),
    Column("expires_at", DateTime(timezone=True)),
    Column("unit", Text),
)
subscriptions = Table(
    "subscriptions",
    _metadata,
    Column("org_id", uuid_type, primary_key=True),
    Column("plan", Text),
    Column("status", Text),
    Column("start_date", DateTime(timezone=True)),
    Column("end_date", DateTime(timezone=True)),
    Column("next_plan", Text),
    Column("changes_at", DateTime(timezone=True)),
    Column("revision", BigInteger),
)

plan_limits = Table(
    "plan_limits",
    _metadata,
    Column("plan", Text, primary_key=True),
    Column("limits", JSONB),
    Column("is_default", Boolean),
)
