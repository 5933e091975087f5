"""What of an organisation's audio and media is told when it takes its data along."""

from __future__ import annotations

from libs.outbox.exporting import Exported, ExportedFile

EXPORTED = (
    Exported(
        "audio_tracks",
        order=("created_at", "id"),
        without=("object_key", "alignment_key"),
        also={"audio": "'/v1/generations/' || t.generation_id || '/audio'"},
        rows_at_once=50,
        # A generation's row names it by `rendition_id`: those that are equal share their audio.
        file=ExportedFile("'audio-' || t.generation_id || '.' || t.format"),
    ),
    Exported("audio_alignments", rows_at_once=10),
    Exported(
        "media_assets",
        order=("created_at", "id"),
        without=("object_key",),
        also={"content": "'/v1/media/' || t.id || '/content'"},
        file=ExportedFile("'media-' || t.id || '-' || t.filename"),
    ),
)
"""Which tables, and what of them; audio is named by where it can be read."""
NOT_EXPORTED = {
    "deleted_generations": "ids of what is gone, so that nothing brings it back",
    "lost_tracks": "ids of audio that is being made again",
    "uploads": "files that were announced; those that came are media",
}
"""Tables with rows of organisations that are left out, and why."""
