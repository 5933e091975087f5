"""What is kept of answers, so that only a gateway can read it: an answer may hold a key that is shown once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from uuid import UUID

from Crypto.Cipher import AES

_PURPOSE = b"antiphon gateway: answers to idempotent requests"
_NONCE_BYTES, _TAG_BYTES = 12, 16


class Unreadable(Exception):
    """What was sealed cannot be read: the keys are others by now."""


class Sealing:
    """AES-256-GCM under a key that all replicas derive from the services' identity keys, and the database never has."""

    def __init__(self, identity_keys: Mapping[str, bytes]) -> None:
        material = b"".join(hashlib.sha256(key).digest() for _, key in sorted(identity_keys.items()))
        self._key = hmac.digest(material, _PURPOSE, "sha256")

    def seal(self, content: bytes, org_id: UUID, key_hash: bytes) -> bytes:
        """Return `content` sealed; it can be read as that record's only."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = AES.new(self._key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
        cipher.update(org_id.bytes + key_hash)
        sealed, tag = cipher.encrypt_and_digest(content)
        return nonce + tag + sealed

    def open(self, sealed: bytes, org_id: UUID, key_hash: bytes) -> bytes:
        """Return what was sealed; raises Unreadable."""
        if len(sealed) < _NONCE_BYTES + _TAG_BYTES:
            raise Unreadable
        nonce, tag = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES : _NONCE_BYTES + _TAG_BYTES]
        cipher = AES.new(self._key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
        cipher.update(org_id.bytes + key_hash)
        try:
            return cipher.decrypt_and_verify(sealed[_NONCE_BYTES + _TAG_BYTES :], tag)
        except ValueError as error:
            raise Unreadable from error
