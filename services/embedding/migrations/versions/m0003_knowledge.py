"""Documents that clients bring: they wait to be indexed, may fail, and say more of themselves."""

from __future__ import annotations

from alembic import op

from libs.database.schema import confine, isolate, see_all

revision = "0003"
down_revision = "0002"

_UP = (
    "alter table documents drop constraint documents_status_check",
    "alter table documents drop constraint documents_check",
    """
    alter table documents
        add constraint documents_status_check check (status in ('pending', 'indexed', 'failed', 'removed')),
        add constraint documents_check check (status = 'removed' or content_hash is not null),
        add column metadata jsonb not null default '{}',
        add column error text
    """,
    "create index documents_list on documents (org_id, created_at desc, id desc) where status <> 'removed'",
    "create index documents_content on documents (org_id, source_type, content_hash) where status <> 'removed'",
    # The text of a document until it is cut into chunks.
    """
    create table document_texts (
        document_id uuid primary key references documents on delete cascade,
        org_id uuid not null,
        text text not null
    )
    """,
    *isolate("document_texts"),
    # What a search may narrow by.
    "create index chunks_metadata on chunks using gin (metadata jsonb_path_ops)",
)
_DOWN = (
    "drop index chunks_metadata",
    "drop table document_texts",
    *see_all("documents", "chunks"),
    "delete from documents where status in ('pending', 'failed')",
    *confine("documents", "chunks"),
    "drop index documents_content",
    "drop index documents_list",
    "alter table documents drop constraint documents_status_check",
    """
    alter table documents
        add constraint documents_status_check check (status in ('indexed', 'removed')),
        drop column error,
        drop column metadata
    """,
)


def upgrade() -> None:
    """Let documents wait and fail."""
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    """Forget what waits and what failed."""
    for statement in _DOWN:
        op.execute(statement)
