"""Generations, the tries to make them, and the voices that they can be made with."""

from __future__ import annotations

from alembic import op

from libs.database.schema import TOUCH_FUNCTION, isolate, isolate_with_shared, touch_trigger
from libs.messaging import inbox
from libs.outbox import schema as outbox_schema

revision = "0001"
down_revision = None

_TABLES = (
    # A projection of the voice service's events. A deleted voice leaves its row, so that a late event cannot revive it.
    """
    create table voices (
        id uuid primary key,
        org_id uuid,
        name text not null,
        language text not null,
        engine text not null,
        engine_settings jsonb not null,
        revision bigint not null,
        deleted boolean not null default false
    )
    """,
    """
    create table generations (
        id uuid primary key,
        org_id uuid not null,
        voice_id uuid,
        voice_name text not null,
        text text not null check (char_length(text) between 1 and 5000),
        characters integer not null check (characters > 0),
        temperature double precision not null check (temperature between 0 and 2),
        top_p double precision not null check (top_p between 0 and 1),
        top_k integer not null check (top_k between 1 and 10000),
        repetition_penalty double precision not null check (repetition_penalty between 1 and 2),
        speed double precision not null check (speed between 0.25 and 4),
        format text not null check (format in ('mp3', 'wav')),
        model_id text not null,
        applied jsonb not null default '{}',
        status text not null default 'pending' check (status in ('pending', 'processing', 'completed', 'failed')),
        error_code text,
        error text,
        object_key text,
        duration_seconds double precision check (duration_seconds > 0),
        idempotency_key text,
        request_hash text,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        unique (org_id, idempotency_key)
    )
    """,
    "create index generations_list on generations (org_id, created_at desc, id desc)",
    "create index generations_voice on generations (voice_id) where voice_id is not null",
    touch_trigger("generations"),
    """
    create table generation_attempts (
        id uuid primary key,
        generation_id uuid not null references generations on delete cascade,
        org_id uuid not null,
        voice_id uuid,
        model_id text not null,
        status text not null check (status in ('processing', 'rendered', 'failed')),
        error text,
        timings jsonb not null default '{}',
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now()
    )
    """,
    "create index generation_attempts_generation on generation_attempts (generation_id)",
    touch_trigger("generation_attempts"),
)


def upgrade() -> None:
    """Create everything."""
    statements = [
        *inbox.SCHEMA,
        *outbox_schema.SCHEMA,
        TOUCH_FUNCTION,
        *_TABLES,
        *isolate_with_shared("voices"),
        *isolate("generations"),
        *isolate("generation_attempts"),
    ]
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    """Remove everything."""
    for statement in (
        "drop table generation_attempts",
        "drop table generations",
        "drop table voices",
        "drop function touch_updated_at()",
        *outbox_schema.DROP_SCHEMA,
        *inbox.DROP_SCHEMA,
    ):
        op.execute(statement)
