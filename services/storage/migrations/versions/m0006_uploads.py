"""Files that clients send themselves: what they announce, and what was found right."""

from __future__ import annotations

from alembic import op

from libs.database.schema import isolate, touch_trigger

revision = "0006"
down_revision = "0005"

_STATEMENTS = (
    """
    create table uploads (
        id uuid primary key,
        org_id uuid not null,
        purpose text not null constraint upload_purpose check (purpose in ('voice_sample', 'document', 'media')),
        kind text not null constraint upload_kind check (kind in ('audio', 'image', 'video', 'document')),
        owner text constraint upload_owner check (char_length(owner) between 1 and 200),
        filename text not null,
        content_type text not null,
        size_bytes bigint not null constraint upload_size check (size_bytes > 0),
        sha256 text not null constraint upload_sha256 check (sha256 ~ '^[0-9a-f]{64}$'),
        status text not null constraint upload_status
            check (status in ('pending', 'stored', 'rejected', 'aborted', 'expired')),
        reason text,
        parts_id text,
        created_at timestamptz not null,
        expires_at timestamptz not null,
        -- When what it left behind is removed next; null when nothing can be left.
        sweep_at timestamptz,
        -- When its row goes, once nothing can be left.
        forget_at timestamptz not null,
        updated_at timestamptz not null default now(),
        constraint upload_reason check ((status = 'rejected') = (reason is not null))
    )
    """,
    "create index uploads_pending on uploads (org_id) where status = 'pending'",
    "create index uploads_sweep on uploads (sweep_at) where sweep_at is not null",
    "create index uploads_forget on uploads (forget_at) where sweep_at is null",
    touch_trigger("uploads"),
    """
    create table media_assets (
        id uuid primary key,
        org_id uuid not null,
        purpose text not null constraint media_purpose check (purpose in ('voice_sample', 'document', 'media')),
        kind text not null constraint media_kind check (kind in ('audio', 'image', 'video', 'document')),
        owner text constraint media_owner check (char_length(owner) between 1 and 200),
        filename text not null,
        object_key text not null unique,
        content_type text not null,
        size_bytes bigint not null constraint media_size check (size_bytes > 0),
        sha256 text not null constraint media_sha256 check (sha256 ~ '^[0-9a-f]{64}$'),
        duration_seconds double precision
            constraint media_duration check (duration_seconds > 0 and duration_seconds < 'infinity'),
        width integer constraint media_width check (width > 0),
        height integer constraint media_height check (height > 0),
        pages integer constraint media_pages check (pages > 0),
        created_at timestamptz not null,
        updated_at timestamptz not null default now()
    )
    """,
    "create index media_assets_list on media_assets (org_id, created_at desc, id desc)",
    "create index media_assets_owner on media_assets (org_id, owner, created_at desc, id desc) where owner is not null",
    touch_trigger("media_assets"),
    *isolate("uploads"),
    *isolate("media_assets"),
    # The sweeper looks for what is due in all organisations. It runs as the owner, and is all that this policy is for.
    "create policy uploads_owner on uploads to current_user using (true) with check (true)",
    # Whoever gets some has them to himself until `again`, when they are due once more unless they were finished.
    """
    create function claim_due_uploads(moment timestamptz, again timestamptz, most integer)
    returns table (id uuid, org_id uuid)
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
        update public.uploads as claimed set sweep_at = again
        where claimed.id in (
            select due.id from public.uploads as due where due.sweep_at <= moment
            order by due.sweep_at limit most for update skip locked
        )
        returning claimed.id, claimed.org_id
    $$
    """,
    """
    create function forget_uploads(moment timestamptz, most integer) returns bigint
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
        with gone as (
            delete from public.uploads where id in (
                select id from public.uploads where sweep_at is null and forget_at <= moment
                limit most for update skip locked
            ) returning id
        ) select count(*) from gone
    $$
    """,
)


def upgrade() -> None:
    """Create the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Remove them; objects stay until their organisation goes."""
    for statement in (
        "drop function forget_uploads(timestamptz, integer)",
        "drop function claim_due_uploads(timestamptz, timestamptz, integer)",
        "drop table media_assets",
        "drop table uploads",
    ):
        op.execute(statement)
