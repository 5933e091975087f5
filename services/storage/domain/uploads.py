"""Files that clients send to the object store themselves: what they announce, and what has become of it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.storage.domain.content import MediaKind

MIB = 2**20
ONE_PIECE_MOST_BYTES = 64 * MIB
"""What is larger is sent in parts, which can be repeated one by one."""
PART_BYTES = 16 * MIB
MOST_PENDING = 100
"""Uploads of one organisation that may be open at the same time."""
LIFETIME, PARTS_LIFETIME = timedelta(hours=1), timedelta(hours=24)
"""Until when an upload in one piece or in parts has to be completed; its URLs last 15 minutes, and are given anew."""
COMPLETING_SECONDS = 240.0
"""What completing may take at most: less than what a client waits for."""
SWEEP_DELAY = timedelta(hours=1)
"""How long after its end an upload is swept: what was sent just before may still be on its way, and a completion that
runs is over by then, see COMPLETING_SECONDS."""
KEPT = timedelta(days=7)
"""How long one can ask what has become of an upload, once it has ended."""


class Purpose(StrEnum):
    """What a file is to be used for."""

    VOICE_SAMPLE = "voice_sample"
    DOCUMENT = "document"
    MEDIA = "media"


class Status(StrEnum):
    """What has become of an upload."""

    PENDING = "pending"
    STORED = "stored"
    REJECTED = "rejected"
    ABORTED = "aborted"
    EXPIRED = "expired"


_MOST_BYTES = {
    Purpose.VOICE_SAMPLE: 20 * MIB,
    Purpose.DOCUMENT: 50 * MIB,
    MediaKind.IMAGE: 50 * MIB,
    MediaKind.AUDIO: 1024 * MIB,
    MediaKind.VIDEO: 2048 * MIB,
}
_FIXED = {Purpose.VOICE_SAMPLE: MediaKind.AUDIO, Purpose.DOCUMENT: MediaKind.DOCUMENT}
_FAMILIES = {"audio": MediaKind.AUDIO, "image": MediaKind.IMAGE, "video": MediaKind.VIDEO}


class UploadInvalid(Exception):
    """What was announced is not taken; `field` and message are for the client, `limit` where there is one."""

    def __init__(self, field: str, message: str, limit: int | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.limit = limit


class UploadNotFound(Exception):
    """The caller's organisation has no such upload, or has given it up."""


class UploadExpired(Exception):
    """The upload was not completed in time."""


class UploadIncomplete(Exception):
    """Not all has arrived; the message says what is missing, to the client."""


class UploadRejected(Exception):
    """What arrived is not what was announced; the message says what was measured, to the client."""


class UploadStored(Exception):
    """The upload is stored, and cannot be given up any more."""


class TooManyUploads(Exception):
    """The organisation has MOST_PENDING uploads open."""


class MediaNotFound(Exception):
    """The caller's organisation has no such media."""


@dataclass(frozen=True, slots=True)
class NewUpload:
    """A file as it is announced; `owner` is the client's own id of whatever it belongs to, `sha256` hexadecimal."""

    purpose: Purpose
    filename: str
    content_type: str
    size_bytes: int
    sha256: str
    owner: str | None = None

    @property
    def kind(self) -> MediaKind:
        """What the content has to be. Raises UploadInvalid."""
        family = self.content_type.partition("/")[0]
        fixed = _FIXED.get(self.purpose)
        if fixed is not None:
            return fixed
        if family not in _FAMILIES:
            raise UploadInvalid("content_type", "has to be one of audio/…, image/… or video/… for media")
        return _FAMILIES[family]

    def require_size(self) -> None:
        """Raise UploadInvalid for more bytes than are taken."""
        most = _MOST_BYTES.get(self.purpose) or _MOST_BYTES[self.kind]
        if self.size_bytes > most:
            what = self.kind if self.purpose is Purpose.MEDIA else self.purpose
            message = f"is {self.size_bytes}; at most {most} bytes ({most // MIB} MB) are taken of a {what}"
            raise UploadInvalid("size_bytes", message, most)

    @property
    def is_in_parts(self) -> bool:
        """Whether it is sent in parts."""
        return self.size_bytes > ONE_PIECE_MOST_BYTES


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload as it is kept. `parts_id` is the object store's name of one in parts, `reason` why it was rejected."""

    id: UUID
    org_id: UUID
    purpose: Purpose
    kind: MediaKind
    owner: str | None
    filename: str
    content_type: str
    size_bytes: int
    sha256: str
    status: Status
    reason: str | None
    parts_id: str | None
    created_at: datetime
    expires_at: datetime

    @property
    def is_in_parts(self) -> bool:
        """Whether it is sent in parts."""
        return self.size_bytes > ONE_PIECE_MOST_BYTES

    @property
    def part_sizes(self) -> list[int]:
        """Bytes of each part, the last of which is the shortest; none of an upload in one piece."""
        if not self.is_in_parts:
            return []
        whole, rest = divmod(self.size_bytes, PART_BYTES)
        return [PART_BYTES] * whole + ([rest] if rest else [])

    @property
    def quarantine_key(self) -> str:
        """Where the client puts it: nothing is ever served from there."""
        return f"quarantine/orgs/{self.org_id}/{self.id}"

    @property
    def media_prefix(self) -> str:
        """What the keys begin with under which it is kept once it is verified, one for each attempt."""
        return f"media/orgs/{self.org_id}/{self.id}/"

    def status_at(self, now: datetime) -> Status:
        """Return what has become of it, whether or not the sweeper was there already."""
        return Status.EXPIRED if self.status is Status.PENDING and now >= self.expires_at else self.status

    @property
    def swept_last(self) -> datetime:
        """When nothing can arrive any more, and no completion runs."""
        return self.expires_at + SWEEP_DELAY

    def require_open(self, now: datetime) -> None:
        """Raise unless it can be completed, or is: UploadNotFound, UploadRejected or UploadExpired."""
        if self.status is Status.ABORTED:
            raise UploadNotFound
        if self.status is Status.REJECTED:
            raise UploadRejected(self.reason)
        if self.status_at(now) is Status.EXPIRED:
            raise UploadExpired

    def require_all_parts(self, numbers: Collection[int]) -> None:
        """Raise UploadIncomplete unless these are the numbers of all parts, UploadInvalid for more than there are."""
        wanted = range(1, len(self.part_sizes) + 1)
        if unknown := sorted(set(numbers) - set(wanted)):
            raise UploadInvalid("parts", f"has a part {unknown[0]}; this upload has {len(wanted)}")
        if missing := [number for number in wanted if number not in numbers]:
            named = ", ".join(map(str, missing[:10])) + (" …" if len(missing) > 10 else "")
            raise UploadIncomplete(f"of {len(wanted)} parts these are not named: {named}")


@dataclass(frozen=True, slots=True)
class MediaAsset:
    """A file that was verified; its id is that of its upload. Duration in seconds, width and height in pixels."""

    id: UUID
    org_id: UUID
    purpose: Purpose
    kind: MediaKind
    owner: str | None
    filename: str
    object_key: str
    content_type: str
    size_bytes: int
    sha256: str
    duration_seconds: float | None
    width: int | None
    height: int | None
    pages: int | None
    created_at: datetime


def base64_of(sha256: str) -> str:
    """Return a SHA-256 as S3 writes it; it comes in hexadecimal."""
    return b64encode(bytes.fromhex(sha256)).decode()


def require_arrived(upload: Upload, size_bytes: int) -> None:
    """Raise UploadRejected unless as many bytes arrived as were announced."""
    if size_bytes != upload.size_bytes:
        raise UploadRejected(f"{size_bytes} bytes arrived; {upload.size_bytes} were announced")


def require_same(upload: Upload, sha256: str, size_bytes: int) -> None:
    """Raise UploadRejected unless what was read back is what was announced."""
    require_arrived(upload, size_bytes)
    if sha256 != upload.sha256:
        raise UploadRejected(f"the SHA-256 of what arrived is {sha256}; {upload.sha256} was announced")
