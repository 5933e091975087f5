"""PDF documents wait as they were brought, until they are read."""

from __future__ import annotations

from alembic import op

from libs.database.schema import confine, see_all

revision = "0004"
down_revision = "0003"

_UP = (
    """
    alter table document_texts
        alter column text drop not null,
        add column content bytea,
        add constraint document_texts_one check (num_nonnulls(text, content) = 1)
    """,
    # They are compressed already.
    "alter table document_texts alter column content set storage external",
)
_DOWN = (
    *see_all("documents", "document_texts"),
    """
    update documents
    set status = 'failed', error = 'the file was not read before an earlier release was installed; bring it again'
    where id in (select document_id from document_texts where content is not null)
    """,
    "delete from document_texts where content is not null",
    *confine("documents", "document_texts"),
    """
    alter table document_texts
        drop constraint document_texts_one,
        drop column content,
        alter column text set not null
    """,
)


def upgrade() -> None:
    """Let files wait beside texts."""
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    """Give up the files that wait."""
    for statement in _DOWN:
        op.execute(statement)
