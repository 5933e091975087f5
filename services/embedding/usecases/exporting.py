"""What of an organisation's knowledge is told when it takes its data along."""

from __future__ import annotations

from libs.outbox.exporting import Exported

EXPORTED = (
    Exported("documents"),
    # A file is on its way to be read; its text is told once it is.
    Exported("document_texts", order=("document_id",), without=("content",), rows_at_once=10),
    Exported("chunks", without=("words",)),
)
"""Which tables, and what of them; words are computed from the content."""
NOT_EXPORTED = {"vectors": "they are computed from the chunks' contents"}
"""Tables with rows of organisations that are left out, and why."""
