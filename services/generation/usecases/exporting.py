"""What of an organisation's speech is told when it takes its data along."""

from __future__ import annotations

from libs.outbox.exporting import Exported

EXPORTED = (
    Exported(
        "generations",
        order=("created_at", "id"),
        without=("object_key",),
        also={"audio": "case when t.status = 'completed' then '/v1/generations/' || t.id || '/audio' end"},
        rows_at_once=50,
    ),
    Exported("generation_attempts"),
    Exported("dictionaries"),
    Exported("dictionary_versions", order=("dictionary_id", "version"), rows_at_once=50),
)
"""Which tables, and what of them; audio is named by where it can be read."""
NOT_EXPORTED = {
    "generation_chunks": "how a text was cut to be spoken; the text is in generations",
    "organization_plans": "a copy; the analytics service tells it",
    "renditions": "what equal generations share; text and settings are in generations, times in audio_alignments",
    "speech_cache": "names pieces of audio that are in the generations' own",
    "speech_queue": "what is to be spoken next; gone when it is",
    "voices": "a copy; the voice service tells them",
}
"""Tables with rows of organisations that are left out, and why."""
