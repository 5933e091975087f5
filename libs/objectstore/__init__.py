"""Objects in any S3."""

from __future__ import annotations

from libs.objectstore.cache import ByteCache
from libs.objectstore.multipart import PartsRefused, PartsUploads
from libs.objectstore.public import PublicSigner, SignedUrl
from libs.objectstore.store import (
    SIGNATURE_LIFETIME,
    Listed,
    ObjectMissing,
    ObjectReader,
    ObjectStore,
    ObjectStoreAddress,
    ObjectStoreUnavailable,
    Stored,
)

__all__ = [
    "SIGNATURE_LIFETIME",
    "ByteCache",
    "Listed",
    "ObjectMissing",
    "ObjectReader",
    "ObjectStore",
    "ObjectStoreAddress",
    "ObjectStoreUnavailable",
    "PartsRefused",
    "PartsUploads",
    "PublicSigner",
    "SignedUrl",
    "Stored",
]
