"""Voices and the recordings that custom ones are made of."""

from __future__ import annotations

from alembic import op

from libs.database.schema import TOUCH_FUNCTION, isolate, isolate_with_shared, touch_trigger
from libs.messaging import inbox
from libs.outbox import schema as outbox_schema

revision = "0001"
down_revision = None

_TABLES = (
    """
    create table voices (
        id uuid primary key,
        org_id uuid,
        name text not null check (char_length(name) between 1 and 100),
        description text check (char_length(description) between 1 and 500),
        category text not null default 'GENERAL' check (category in (
            'AUDIOBOOK', 'CONVERSATIONAL', 'CUSTOMER_SERVICE', 'GENERAL', 'NARRATIVE', 'CHARACTERS',
            'MEDITATION', 'MOTIVATIONAL', 'PODCAST', 'ADVERTISING', 'VOICEOVER', 'CORPORATE')),
        language text not null default 'en-US' check (language ~ '^[a-z]{2,8}(-[A-Za-z0-9]{1,8})*$'),
        variant text not null check (variant in ('SYSTEM', 'CUSTOM')),
        object_key text,
        engine text not null,
        engine_settings jsonb not null check (jsonb_typeof(engine_settings) = 'object'),
        status text not null default 'draft' check (status in ('draft', 'processing', 'ready', 'rejected')),
        revision bigint not null default 1 check (revision > 0),
        catalogue_fingerprint text,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        check ((variant = 'SYSTEM') = (org_id is null)),
        check (status <> 'ready' or object_key is not null)
    )
    """,
    "create index voices_variant on voices (variant)",
    "create index voices_list on voices (org_id, created_at desc, id desc)",
    "create unique index voices_name on voices (org_id, lower(name)) where variant = 'CUSTOM'",
    touch_trigger("voices"),
    """
    create table voice_samples (
        id uuid primary key,
        voice_id uuid not null references voices on delete cascade,
        org_id uuid not null,
        object_key text not null,
        content_type text not null,
        size_bytes bigint not null check (size_bytes > 0),
        sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
        duration_seconds double precision not null check (duration_seconds > 0),
        sample_rate integer not null check (sample_rate > 0),
        channels integer not null check (channels > 0),
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now()
    )
    """,
    "create index voice_samples_voice on voice_samples (voice_id)",
    "create index voice_samples_org on voice_samples (org_id)",
    touch_trigger("voice_samples"),
)


def upgrade() -> None:
    """Create everything."""
    statements = [
        *inbox.SCHEMA,
        *outbox_schema.SCHEMA,
        TOUCH_FUNCTION,
        *_TABLES,
        *isolate_with_shared("voices"),
        *isolate("voice_samples"),
    ]
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    """Remove everything."""
    for statement in (
        "drop table voice_samples",
        "drop table voices",
        "drop function touch_updated_at()",
        *outbox_schema.DROP_SCHEMA,
        *inbox.DROP_SCHEMA,
    ):
        op.execute(statement)
