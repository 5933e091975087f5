"""Recordings are examined by a worker, and custom voices are matched to them; voices have settings of their own."""

from __future__ import annotations

from alembic import op

from libs.database.schema import confine, see_all

revision = "0003"
down_revision = "0002"

_COLUMNS = """
alter table voices
    add column settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
    add column reasons jsonb not null default '[]' check (jsonb_typeof(reasons) = 'array'),
    add column quality jsonb check (jsonb_typeof(quality) = 'object'),
    add column matching jsonb check (jsonb_typeof(matching) = 'object'),
    add column sample_count integer not null default 0 check (sample_count >= 0),
    add column preview_key text,
    add column discarded_keys text[] not null default '{}',
    add column submitted integer not null default 0,
    add column examined integer not null default 0,
    add constraint voices_examined check (examined between 0 and submitted)
"""
_SAMPLE_COLUMNS = """
alter table voice_samples
    add column position integer not null default 0 check (position >= 0),
    add column report jsonb check (jsonb_typeof(report) = 'object'),
    add column problem text,
    alter column duration_seconds drop not null,
    alter column sample_rate drop not null,
    alter column channels drop not null
"""

_TABLES = ("voices", "voice_samples")
# What is only written down differently was not changed by anybody.
_UNTOUCHED, _TOUCHED = (
    "alter table voices disable trigger voices_touch",
    "alter table voices enable trigger voices_touch",
)
_COUNT = """
update voices set sample_count = counted.samples
from (select voice_id, count(*) as samples from voice_samples group by voice_id) counted
where counted.voice_id = voices.id
"""


def upgrade() -> None:
    """Add what examining and matching find, and count the recordings that there are."""
    for statement in (_COLUMNS, _SAMPLE_COLUMNS, *see_all(*_TABLES), _UNTOUCHED, _COUNT, _TOUCHED, *confine(*_TABLES)):
        op.execute(statement)


def downgrade() -> None:
    """Forget it; recordings that were never decoded go, and voices that are not ready with them."""
    for statement in (
        *see_all(*_TABLES),
        "delete from voices where status in ('processing', 'rejected')",
        "delete from voice_samples where duration_seconds is null",
        *confine(*_TABLES),
        """
        alter table voice_samples
            drop column position, drop column report, drop column problem,
            alter column duration_seconds set not null,
            alter column sample_rate set not null,
            alter column channels set not null
        """,
        """
        alter table voices
            drop constraint voices_examined,
            drop column settings, drop column reasons, drop column quality, drop column matching,
            drop column sample_count, drop column preview_key, drop column discarded_keys,
            drop column submitted, drop column examined
        """,
    ):
        op.execute(statement)
