"""Uploads and media as clients see them, and what they say of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from libs.web import Storable, as_id
from services.storage.domain import uploads as domain
from services.storage.domain.content import MediaKind
from services.storage.domain.uploads import MediaAsset, Purpose, Status, Upload
from services.storage.store.media import MediaFilter
from services.storage.usecases.uploading import SignedPut

_SHA256 = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
_URL = "https://media.example.com/antiphon/quarantine/…?X-Amz-Signature=9e1c"


def upload_id_of(text: str) -> UUID:
    """Return the id of an upload. Raises UploadNotFound for what is none."""
    return as_id(text, domain.UploadNotFound)


def media_id_of(text: str) -> UUID:
    """Return the id of media. Raises MediaNotFound for what is none."""
    return as_id(text, domain.MediaNotFound)


class NewUploadView(BaseModel):
    """A file that is to be sent. Unknown fields are refused, so that a typing error does not pass silently."""

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose = Field(
        description="What it is for: a recording for a voice, a document, or any other audio, image or video."
    )
    filename: Storable = Field(min_length=1, max_length=255, description="Only to be shown.", examples=["line.wav"])
    content_type: str = Field(
        max_length=100,
        pattern=r"^[a-z]{1,20}/[a-z0-9][a-z0-9.+-]{0,78}$",
        description="What the PUT has to say. What the file is, its content says.",
        examples=["audio/wav"],
    )
    size_bytes: int = Field(
        ge=1, le=2**40, description="Exactly so many; beyond 64 MB it is sent in parts.", examples=[11]
    )
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="Of the file, in lower-case hex.", examples=[_SHA256])
    owner: Storable | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Your own id of what it belongs to; media can be listed by it.",
        examples=["project-7"],
    )

    def announced(self) -> domain.NewUpload:
        """Return what it says."""
        return domain.NewUpload(**self.model_dump())


class PartView(BaseModel):
    """A part of an upload: a PUT of `size_bytes` bytes to `url`. Its answer's ETag is needed to complete."""

    number: int
    size_bytes: int
    url: str = Field(examples=[_URL])


class UploadView(BaseModel):
    """An upload. Times are UTC.

    While it is `pending` it gets a `url` to which the file is PUT with exactly `headers`, or `parts`, which are PUT one
    by one; they work until `urls_expire_at`, and can be signed anew. It has to be completed by `expires_at`.
    """

    id: UUID
    purpose: Purpose
    kind: MediaKind
    status: Status
    filename: str
    content_type: str
    size_bytes: int
    sha256: str
    owner: str | None
    reason: str | None = Field(description="Why it was rejected: what was measured.")
    url: str | None = Field(examples=[_URL])
    headers: dict[str, str] | None = Field(examples=[{"Content-Type": "audio/wav", "Content-Length": "11"}])
    parts: list[PartView] | None
    urls_expire_at: datetime | None
    created_at: datetime
    expires_at: datetime


class SentPart(BaseModel):
    """A part that was sent, and the ETag that the answer to its PUT had."""

    model_config = ConfigDict(extra="forbid")

    number: int = Field(ge=1, le=10_000)
    etag: str = Field(min_length=1, max_length=100, pattern=r'^"?[A-Za-z0-9+/=_-]+"?$', examples=['"9e107d9d372bb682"'])


class Completion(BaseModel):
    """That everything was sent; of an upload in parts, all of them."""

    model_config = ConfigDict(extra="forbid")

    parts: Annotated[list[SentPart], Field(max_length=10_000)] = Field(default_factory=list)

    def etags(self) -> dict[int, str]:
        """Return the parts' ETags by their numbers, in quotes."""
        return {part.number: '"' + part.etag.strip('"') + '"' for part in self.parts}


class MediaView(BaseModel):
    """A file that was verified; its id is its upload's. Duration in seconds, width and height in pixels."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    purpose: Purpose
    kind: MediaKind
    filename: str
    content_type: str = Field(description="As its content says.")
    size_bytes: int
    sha256: str
    owner: str | None
    duration_seconds: float | None
    width: int | None
    height: int | None
    pages: int | None = Field(description="Of a PDF.")
    created_at: datetime


class MediaList(BaseModel):
    """One page of media, newest first."""

    items: list[MediaView]
    next_cursor: str | None


class MediaQuery(BaseModel):
    """Which media to list."""

    kind: MediaKind | None = Field(default=None, description="Only those.")
    owner: Storable | None = Field(default=None, min_length=1, max_length=200, description="Only what belongs to it.")
    purpose: Purpose | None = Field(default=None, description="Only what is for that.")
    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = None

    def filter(self) -> MediaFilter:
        """Return what it says without where it begins."""
        return MediaFilter(self.kind, self.owner, self.purpose)


def upload_view(upload: Upload, puts: Sequence[SignedPut], now: datetime) -> UploadView:
    """Return an upload as its organisation sees it."""
    parts = None
    if upload.is_in_parts and puts:
        parts = [PartView(number=n, size_bytes=put.size_bytes, url=put.signed.url) for n, put in enumerate(puts, 1)]
    only = puts[0] if puts and not upload.is_in_parts else None
    return UploadView(
        id=upload.id,
        purpose=upload.purpose,
        kind=upload.kind,
        status=upload.status_at(now),
        filename=upload.filename,
        content_type=upload.content_type,
        size_bytes=upload.size_bytes,
        sha256=upload.sha256,
        owner=upload.owner,
        reason=upload.reason,
        url=only.signed.url if only else None,
        headers=dict(only.headers) if only else None,
        parts=parts,
        urls_expire_at=puts[0].signed.expires_at if puts else None,
        created_at=upload.created_at,
        expires_at=upload.expires_at,
    )


def media_view(asset: MediaAsset) -> MediaView:
    """Return media as its organisation sees it."""
    return MediaView.model_validate(asset)
