"""Recordings that were uploaded before a voice is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.voice.domain.errors import RecordingTooLarge
from services.voice.domain.voices import RECORDING_MAX_BYTES, RECORDINGS_MOST


class UploadUnusable(Exception):
    """A voice cannot be made of the uploads that were named; the message says why, to the client."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A finished upload: what its content is, where it lies, and how many bytes it has."""

    id: UUID
    kind: str
    object_key: str
    size_bytes: int


def require_few(upload_ids: Sequence[UUID], files: Sequence[bytes]) -> None:
    """Raise UploadUnusable for more recordings than a voice is made of, or one that is named twice."""
    if len(upload_ids) + len(files) > RECORDINGS_MOST:
        raise UploadUnusable(
            f"with the files there are {len(upload_ids) + len(files)} recordings; at most {RECORDINGS_MOST} are taken"
        )
    if len(set(upload_ids)) < len(upload_ids):
        raise UploadUnusable("an upload is named twice")


def require_usable(upload_ids: Sequence[UUID], found: Sequence[Uploaded], files: Sequence[bytes]) -> None:
    """Raise UploadUnusable unless all that were named are finished uploads of audio, RecordingTooLarge for too much."""
    kinds = {one.id: one.kind for one in found}
    for upload_id in upload_ids:
        if upload_id not in kinds:
            raise UploadUnusable(f"{upload_id} is no finished upload; complete it first")
        if kinds[upload_id] != "audio":
            raise UploadUnusable(f"{upload_id} is of kind {kinds[upload_id]}; a voice is made of audio")
    if sum(one.size_bytes for one in found) + sum(map(len, files)) > RECORDING_MAX_BYTES:
        raise RecordingTooLarge
