"""The ledger compared with all that is added up from it, by queries that share nothing with the product's own."""

from __future__ import annotations

_TOTALS = """
with entries as (
    select org_id, created_at, unit, quantity from usage_metrics
    union all select org_id, created_at, 'requests', 1 from usage_metrics where unit = 'characters'
), ledger as (
    select org_id, date_trunc('month', created_at at time zone 'UTC')::date as period, unit, sum(quantity) as quantity
    from entries group by 1, 2, 3)
select * from ledger full join usage_totals using (org_id, period, unit)
where ledger.quantity is distinct from usage_totals.quantity
"""
_LEVELS = """
select * from (select org_id, unit, sum(quantity) as quantity from holdings group by 1, 2) as held
full join levels using (org_id, unit) where held.quantity is distinct from levels.quantity
"""
_DAYS = """
with ledger as (
    select org_id, (created_at at time zone 'UTC')::date as day,
        count(*) filter (where unit = 'characters') as generations,
        coalesce(sum(quantity) filter (where unit = 'characters'), 0) as characters,
        coalesce(sum(quantity) filter (where unit = 'audio_seconds'), 0) as audio_seconds,
        coalesce(sum(quantity) filter (where unit = 'characters_cached'), 0) as characters_cached
    from usage_metrics group by 1, 2
), kept as (
    select org_id, day, generations, characters, audio_seconds, characters_cached from usage_daily where generations > 0
)
(table ledger except table kept) union all (table kept except table ledger)
"""
_QUARTERS = """
with ledger as (
    select org_id, date_bin('15 minutes', created_at, '2000-01-01Z') as begins_at, voice_id, key_id, user_id, format,
        count(*) filter (where unit = 'characters') as generations,
        coalesce(sum(quantity) filter (where unit = 'characters'), 0) as characters,
        coalesce(sum(quantity) filter (where unit = 'audio_seconds'), 0) as audio_seconds,
        coalesce(sum(quantity) filter (where unit = 'characters_cached'), 0) as characters_cached
    from usage_metrics group by 1, 2, 3, 4, 5, 6
), kept as (
    select org_id, begins_at, voice_id, key_id, user_id, format,
        generations, characters, audio_seconds, characters_cached
    from usage_quarters where generations > 0
)
(table ledger except table kept) union all (table kept except table ledger)
"""
DIFFERING = (_TOTALS, _LEVELS, _DAYS, _QUARTERS)
"""Each returns what differs."""
