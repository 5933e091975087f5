"""Secrets that are kept sealed: read by who has the key, as their owner's, and by nobody else."""

from __future__ import annotations

from uuid import uuid4

import pytest

from services.gateway.adapters.keyring import PLAIN_BYTES_MOST, KeyMissing, Keyring

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
SECRET = b"a secret of thirty-two characters"[:32]


def test_what_is_sealed_is_read_again_and_looks_like_nothing() -> None:
    org, webhook = uuid4(), uuid4()
    sealed = Keyring([NEW]).seal(SECRET, org, webhook)
    assert Keyring([NEW]).open(sealed, org, webhook) == SECRET
    assert SECRET not in sealed
    assert len(sealed) > PLAIN_BYTES_MOST
    assert sealed != Keyring([NEW]).seal(SECRET, org, webhook)


def test_a_key_is_replaced_while_both_are_there() -> None:
    org, webhook = uuid4(), uuid4()
    sealed = Keyring([OLD]).seal(SECRET, org, webhook)
    both = Keyring([NEW, OLD])
    assert both.open(sealed, org, webhook) == SECRET
    assert Keyring([NEW]).open(both.seal(SECRET, org, webhook), org, webhook) == SECRET
    with pytest.raises(KeyMissing, match=Keyring([OLD]).newest.hex()):
        Keyring([NEW]).open(sealed, org, webhook)


def test_it_is_nobody_elses_and_not_to_be_changed() -> None:
    ring, org, webhook = Keyring([NEW]), uuid4(), uuid4()
    sealed = ring.seal(SECRET, org, webhook)
    for whose in ((uuid4(), webhook), (org, uuid4())):
        with pytest.raises(KeyMissing):
            ring.open(sealed, *whose)
    for place in (5, 17, 33, len(sealed) - 1):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(KeyMissing):
            ring.open(bytes(changed), org, webhook)


def test_what_was_kept_readable_is_read() -> None:
    assert Keyring([NEW]).open(SECRET, uuid4(), uuid4()) == SECRET


@pytest.mark.parametrize("keys", [[], [b"short"], [NEW, b"short"]])
def test_what_is_no_key_is_refused(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Keyring(keys)
