"""A self-signed certificate for 127.0.0.1, made anew for each run, with nothing but the standard library."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

_BITS = 2048
_EXPONENT = 65537
_ROUNDS = 20
_SHA256_WITH_RSA = bytes.fromhex("2a864886f70d01010b")
_RSA = bytes.fromhex("2a864886f70d010101")
_COMMON_NAME = bytes.fromhex("550403")
_SUBJECT_KEY, _KEY_USAGE, _ALTERNATIVE_NAME, _CONSTRAINTS = (bytes.fromhex(f"551d{n:02x}") for n in (14, 15, 17, 19))
# The prefix of a SHA-256 digest that PKCS #1 signs.
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write `certificate.pem` and `key.pem`; the certificate is also the authority that vouches for it."""
    p, q = _prime(), _prime()
    modulus, secret = p * q, pow(_EXPONENT, -1, (p - 1) * (q - 1))
    numbers = (0, modulus, _EXPONENT, secret, p, q, secret % (p - 1), secret % (q - 1), pow(q, -1, p))
    key = _sequence(*(_integer(number) for number in numbers))
    body = _body(modulus)
    padded = _DIGEST_INFO + hashlib.sha256(body).digest()
    size = _BITS // 8
    block = b"\x00\x01" + b"\xff" * (size - len(padded) - 3) + b"\x00" + padded
    signature = pow(int.from_bytes(block, "big"), secret, modulus).to_bytes(size, "big")
    certificate = _sequence(body, _algorithm(_SHA256_WITH_RSA), _tag(0x03, b"\x00" + signature))
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_text(_pem("CERTIFICATE", certificate))
    paths[1].write_text(_pem("RSA PRIVATE KEY", key))
    return paths


def _body(modulus: int) -> bytes:
    public = _sequence(_integer(modulus), _integer(_EXPONENT))
    name = _sequence(_tag(0x31, _sequence(_tag(0x06, _COMMON_NAME), _tag(0x0C, b"antiphon test"))))
    now = datetime.now(UTC)
    valid = _sequence(*(_tag(0x17, f"{at:%y%m%d%H%M%S}Z".encode()) for at in (now - timedelta(1), now + timedelta(2))))
    extensions = _sequence(
        _extension(_CONSTRAINTS, _sequence(_tag(0x01, b"\xff")), critical=True),
        # For signatures and for signing certificates.
        _extension(_KEY_USAGE, _tag(0x03, b"\x02\x84"), critical=True),
        _extension(_ALTERNATIVE_NAME, _sequence(_tag(0x87, bytes((127, 0, 0, 1))))),
        _extension(_SUBJECT_KEY, _tag(0x04, hashlib.sha1(public, usedforsecurity=False).digest())),
    )
    return _sequence(
        _tag(0xA0, _integer(2)),
        _integer(secrets.randbits(100)),
        _algorithm(_SHA256_WITH_RSA),
        name,
        valid,
        name,
        _sequence(_algorithm(_RSA), _tag(0x03, b"\x00" + public)),
        _tag(0xA3, extensions),
    )


def _extension(kind: bytes, value: bytes, *, critical: bool = False) -> bytes:
    return _sequence(_tag(0x06, kind), _tag(0x01, b"\xff") if critical else b"", _tag(0x04, value))


def _algorithm(kind: bytes) -> bytes:
    return _sequence(_tag(0x06, kind), _tag(0x05, b""))


def _sequence(*parts: bytes) -> bytes:
    return _tag(0x30, b"".join(parts))


def _integer(number: int) -> bytes:
    return _tag(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _tag(kind: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((kind, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((kind, 0x80 | len(length))) + length + content


def _pem(kind: str, content: bytes) -> str:
    encoded = base64.b64encode(content).decode()
    lines = [encoded[start : start + 64] for start in range(0, len(encoded), 64)]
    return "\n".join((f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""))


def _prime() -> int:
    while True:
        # Both highest bits set, so that the product of two has all its bits.
        number = secrets.randbits(_BITS // 2) | 1 | (3 << (_BITS // 2 - 2))
        if all(number % small for small in (3, 5, 7, 11, 13, 17, 19, 23)) and _is_prime(number):
            return number


def _is_prime(number: int) -> bool:
    """Miller and Rabin's test."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(_ROUNDS):
        power = pow(secrets.randbelow(number - 3) + 2, odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True
