"""Alignments of what was read in place of a text, and of texts too long for a row; content types with rates."""

from __future__ import annotations

from alembic import op

from libs.database.schema import confine, see_all

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns."""
    for statement in (
        "alter table audio_tracks drop constraint track_content_type",
        """
        alter table audio_tracks add constraint track_content_type
            check (content_type ~ '^audio/[A-Za-z0-9.+-]{1,60}(; ?[a-z]{1,20}=[A-Za-z0-9]{1,20})?$')
        """,
        "alter table audio_tracks add column language text not null default 'en-US', add column alignment_key text",
        """
        alter table audio_alignments
            add column normalized_text text,
            add column normalized_starts double precision[],
            add column normalized_ends double precision[],
            add constraint normalized_complete check (
                (normalized_text is null) = (normalized_starts is null)
                and (normalized_text is null) = (normalized_ends is null)),
            add constraint normalized_lengths check (
                cardinality(normalized_starts) = char_length(normalized_text)
                and cardinality(normalized_ends) = char_length(normalized_text)),
            add constraint normalized_starts check (
                normalized_starts = array_sort(normalized_starts) and 0 <= all (normalized_starts)),
            add constraint normalized_ends check (ends_follow_starts(normalized_starts, normalized_ends)),
            add constraint normalized_duration check (duration_seconds >= all (normalized_ends))
        """,
    ):
        op.execute(statement)


def downgrade() -> None:
    """Remove them; tracks whose content type the schema before cannot hold go, too."""
    for statement in (
        """
        alter table audio_alignments
            drop constraint normalized_complete, drop constraint normalized_lengths, drop constraint normalized_starts,
            drop constraint normalized_ends, drop constraint normalized_duration,
            drop column normalized_text, drop column normalized_starts, drop column normalized_ends
        """,
        "alter table audio_tracks drop column language, drop column alignment_key",
        *see_all("audio_tracks", "audio_alignments"),
        # Those without an alignment of their own had one that was too long for a row.
        """
        delete from audio_tracks track where content_type !~ '^audio/[a-z0-9.+-]{1,60}$'
            or not exists (select from audio_alignments where track_id = track.id)
        """,
        *confine("audio_tracks", "audio_alignments"),
        "alter table audio_tracks drop constraint track_content_type",
        """
        alter table audio_tracks add constraint track_content_type check (content_type ~ '^audio/[a-z0-9.+-]{1,60}$')
        """,
    ):
        op.execute(statement)
