"""Secrets that have to be read again, sealed so that who reads the database cannot use them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from uuid import UUID

from Crypto.Cipher import AES

ID_BYTES, _NONCE_BYTES, _TAG_BYTES = 4, 12, 16
_FORM = b"\x01"
PLAIN_BYTES_MOST = 64
"""What is not longer was written before secrets were sealed; what is sealed is longer."""


class KeyMissing(Exception):
    """What was sealed cannot be read: its key is none of those that there are."""


def key_id(key: bytes) -> bytes:
    """Return by what sealed secrets name their key."""
    return hashlib.sha256(b"antiphon key id" + key).digest()[:ID_BYTES]


class Keyring:
    """AES-256-GCM under the first of several keys; what the others have sealed is read, too.

    What is sealed says which key it needs, so keys are replaced one at a time: the new one is put first, everything is
    sealed anew, and then the old one goes.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys` have 32 bytes each, the newest first."""
        if not keys or any(len(key) != 32 for key in keys):
            raise ValueError("a key ring has one key or more, of 32 bytes each")
        self._keys = {key_id(key): key for key in keys}
        self.newest = key_id(keys[0])

    def seal(self, secret: bytes, org_id: UUID, owner_id: UUID) -> bytes:
        """Return a secret of at least 32 bytes sealed: form, id of the key, nonce, tag, content.

        It can be read as that owner's only.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = AES.new(self._keys[self.newest], AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
        cipher.update(org_id.bytes + owner_id.bytes)
        sealed, tag = cipher.encrypt_and_digest(secret)
        return _FORM + self.newest + nonce + tag + sealed

    def open(self, kept: bytes, org_id: UUID, owner_id: UUID) -> bytes:
        """Return a secret that is kept, sealed or as in earlier releases. Raises KeyMissing."""
        if len(kept) <= PLAIN_BYTES_MOST:
            return kept
        named, rest = kept[len(_FORM) : len(_FORM) + ID_BYTES], kept[len(_FORM) + ID_BYTES :]
        key = self._keys.get(named)
        if key is None:
            raise KeyMissing(f"no key has the id {named.hex()}")
        nonce, tag = rest[:_NONCE_BYTES], rest[_NONCE_BYTES : _NONCE_BYTES + _TAG_BYTES]
        cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
        cipher.update(org_id.bytes + owner_id.bytes)
        try:
            return cipher.decrypt_and_verify(rest[_NONCE_BYTES + _TAG_BYTES :], tag)
        except ValueError:
            raise KeyMissing("it was sealed for somebody else, or changed since") from None
