"""Files that were uploaded before a document is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.embedding.domain.files import FILE_MAX_BYTES

DOCUMENT_KIND = "document"
"""What storage calls a file that is a PDF or a text, after looking into it."""


class UploadUnusable(Exception):
    """No document can be made of the upload that was named; the message says why, to the client."""


class UploadTooLarge(Exception):
    """The upload has more than FILE_MAX_BYTES."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A finished upload: what its content is, where it lies, its bytes, their SHA-256 and what its sender calls it."""

    kind: str
    object_key: str
    size_bytes: int
    sha256: str
    filename: str


def require_usable(upload_id: UUID, found: Uploaded | None) -> Uploaded:
    """Return what was found. Raises UploadUnusable unless it is a finished upload of a document, UploadTooLarge."""
    if found is None:
        raise UploadUnusable(f"{upload_id} is no finished upload; complete it first")
    if found.kind != DOCUMENT_KIND:
        raise UploadUnusable(
            f"{upload_id} is of kind {found.kind}; upload a PDF, text, Markdown, HTML or subtitles as a document"
        )
    if found.size_bytes > FILE_MAX_BYTES:
        raise UploadTooLarge
    return found
