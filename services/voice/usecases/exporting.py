"""What of an organisation's voices is told when it takes its data along."""

from __future__ import annotations

from libs.outbox.exporting import Exported, ExportedFile

EXPORTED = (
    Exported(
        "voices",
        order=("created_at", "id"),
        without=("object_key", "preview_key", "preview_sha256", "discarded_keys", "catalogue_fingerprint"),
        also={"audio": "'/v1/voices/' || t.id || '/audio'"},
    ),
    Exported(
        "voice_samples",
        without=("object_key",),
        also={"audio": "'/v1/voices/' || t.voice_id || '/samples/' || t.id || '/audio'"},
        file=ExportedFile(
            "'voice-' || t.voice_id || '-sample-' || t.id || '.' ||"
            " case t.content_type when 'audio/mpeg' then 'mp3' else split_part(t.content_type, '/', 2) end"
        ),
    ),
)
"""Which tables, and what of them; recordings are named by where they can be read."""
NOT_EXPORTED: dict[str, str] = {}
"""Tables with rows of organisations that are left out, and why."""
