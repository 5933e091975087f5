"""Objects in any S3."""

from __future__ import annotations

from libs.objectstore.cache import ByteCache
from libs.objectstore.public import PublicSigner, SignedUrl
from libs.objectstore.store import (
    ObjectMissing,
    ObjectReader,
    ObjectStore,
    ObjectStoreAddress,
    ObjectStoreUnavailable,
    Stored,
)

__all__ = [
    "ByteCache",
    "ObjectMissing",
    "ObjectReader",
    "ObjectStore",
    "ObjectStoreAddress",
    "ObjectStoreUnavailable",
    "PublicSigner",
    "SignedUrl",
    "Stored",
]
