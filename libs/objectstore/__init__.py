"""Objects in any S3."""

from __future__ import annotations

from libs.objectstore.cache import ByteCache
from libs.objectstore.multipart import PartsRefused, PartsUploads
from libs.objectstore.objects import (
    Listed,
    ObjectMissing,
    ObjectReader,
    ObjectStoreAddress,
    ObjectStoreUnavailable,
    Stored,
)
from libs.objectstore.public import PublicSigner, SignedUrl
from libs.objectstore.requests import SIGNATURE_LIFETIME
from libs.objectstore.store import ObjectStore

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
