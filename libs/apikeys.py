"""The form of API keys: `ant_`, 30 random base-62 characters (178 bits), 6 characters of checksum.

The prefix lets secret scanners recognise a key that leaked; the checksum lets them, and the gateway, tell a key from a
typing error without asking the database.
"""

from __future__ import annotations

import secrets
import string
import zlib

PREFIX = "ant_"
RANDOM_LENGTH = 30
CHECKSUM_LENGTH = 6

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BASE62_SET = frozenset(_BASE62)


def new_api_key() -> str:
    """A new key from the system's random source."""
    return _assemble("".join(secrets.choice(_BASE62) for _ in range(RANDOM_LENGTH)))


def is_well_formed(key: str) -> bool:
    """Whether this could be a key: prefix, length, alphabet and checksum. Says nothing about whether it was issued."""
    if len(key) != len(PREFIX) + RANDOM_LENGTH + CHECKSUM_LENGTH:
        return False
    random_part = key[len(PREFIX) : -CHECKSUM_LENGTH]
    return _BASE62_SET.issuperset(random_part) and key == _assemble(random_part)


def _assemble(random_part: str) -> str:
    checksum = zlib.crc32(random_part.encode())
    digits = ""
    for _ in range(CHECKSUM_LENGTH):
        checksum, digit = divmod(checksum, len(_BASE62))
        digits = _BASE62[digit] + digits
    return PREFIX + random_part + digits
