"""Audio tracks with their alignments, and what was deleted."""

from __future__ import annotations

from alembic import op

from libs.database.schema import TOUCH_FUNCTION, isolate, touch_trigger
from libs.messaging import inbox
from libs.outbox import schema as outbox_schema

revision = "0001"
down_revision = None

_ENDS_FOLLOW_STARTS = """
create function ends_follow_starts(start_times double precision[], end_times double precision[]) returns boolean
language sql immutable parallel safe as $$
    select coalesce(bool_and(ending >= beginning), true)
    from unnest(start_times, end_times) as t (beginning, ending)
$$
"""

_TABLES = (
    """
    create table audio_tracks (
        id uuid primary key,
        generation_id uuid not null unique,
        org_id uuid not null,
        object_key text not null,
        text text not null,
        duration_seconds double precision not null
            constraint track_duration check (duration_seconds > 0 and duration_seconds < 'infinity'),
        format text not null constraint track_format check (format ~ '^[a-z0-9]{1,10}$'),
        content_type text not null constraint track_content_type check (content_type ~ '^audio/[a-z0-9.+-]{1,60}$'),
        size_bytes bigint not null constraint track_size check (size_bytes > 0),
        sha256 text not null constraint track_sha256 check (sha256 ~ '^[0-9a-f]{64}$'),
        sample_rate integer not null constraint track_sample_rate check (sample_rate > 0),
        metadata jsonb not null default '{}',
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        -- What an alignment refers to, so that it cannot contradict its track.
        unique (id, org_id, duration_seconds)
    )
    """,
    "create index audio_tracks_list on audio_tracks (org_id, created_at desc, id desc)",
    touch_trigger("audio_tracks"),
    """
    create table audio_alignments (
        id uuid primary key,
        track_id uuid not null unique,
        org_id uuid not null,
        duration_seconds double precision not null,
        characters text[] not null,
        start_times double precision[] not null,
        end_times double precision[] not null,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        foreign key (track_id, org_id, duration_seconds)
            references audio_tracks (id, org_id, duration_seconds) on update cascade on delete cascade,
        constraint alignment_lengths check (
            cardinality(start_times) = cardinality(characters) and cardinality(end_times) = cardinality(characters)
        ),
        constraint alignment_complete check (
            array_position(characters, null) is null
            and array_position(start_times, null) is null
            and array_position(end_times, null) is null
        ),
        constraint alignment_ends check (ends_follow_starts(start_times, end_times)),
        constraint alignment_starts check (start_times = array_sort(start_times) and 0 <= all (start_times)),
        constraint alignment_duration check (duration_seconds >= all (end_times))
    )
    """,
    touch_trigger("audio_alignments"),
    # Generations that are gone for good: a late event about one of them must not bring its audio back.
    """
    create table deleted_generations (
        generation_id uuid primary key,
        org_id uuid not null,
        object_keys text[] not null,
        size_bytes bigint not null,
        deleted_at timestamptz not null
    )
    """,
)


def upgrade() -> None:
    """Create everything."""
    statements = [
        *inbox.SCHEMA,
        *outbox_schema.SCHEMA,
        TOUCH_FUNCTION,
        _ENDS_FOLLOW_STARTS,
        *_TABLES,
        *isolate("audio_tracks"),
        *isolate("audio_alignments"),
        *isolate("deleted_generations"),
    ]
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    """Remove everything."""
    for statement in (
        "drop table deleted_generations",
        "drop table audio_alignments",
        "drop table audio_tracks",
        "drop function ends_follow_starts(double precision[], double precision[])",
        "drop function touch_updated_at()",
        *outbox_schema.DROP_SCHEMA,
        *inbox.DROP_SCHEMA,
    ):
        op.execute(statement)
