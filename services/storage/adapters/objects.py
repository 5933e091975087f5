"""What the object store says about an object."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from libs.objectstore import ObjectStore
from services.storage.domain.delivery import Representation


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object without a row of its own; the object store knows what it is."""

    representation: Representation
    content_type: str


async def describe_object(objects: ObjectStore, key: str) -> StoredObject:
    """Ask the object store about an object; raises ObjectMissing or ObjectStoreUnavailable."""
    async with objects.open(key, {}, head=True) as reader:
        return StoredObject(
            Representation(
                size=int(reader.headers["content-length"]),
                etag=reader.headers["etag"],
                modified=parsedate_to_datetime(reader.headers["last-modified"]),
            ),
            reader.headers.get("content-type", "application/octet-stream"),
        )
