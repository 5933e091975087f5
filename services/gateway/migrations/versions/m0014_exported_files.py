"""What exports take along besides rows: the files that belong to them."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the columns; exports until now took none along."""
    op.execute("alter table exports add column include_audio boolean not null default false")
    op.execute(
        """
        alter table export_parts
            add column files_key text,
            add column files bigint not null default 0 check (files >= 0),
            add column files_bytes bigint not null default 0 check (files_bytes >= 0),
            add column files_left_out bigint not null default 0 check (files_left_out >= 0),
            add column files_left_out_bytes bigint not null default 0 check (files_left_out_bytes >= 0)
        """
    )


def downgrade() -> None:
    """Forget them."""
    op.execute(
        """
        alter table export_parts
            drop column files_left_out_bytes, drop column files_left_out, drop column files_bytes, drop column files,
            drop column files_key
        """
    )
    op.execute("alter table exports drop column include_audio")
