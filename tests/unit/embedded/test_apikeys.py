from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from libs.apikeys import is_well_formed, new_api_key

ALPHABET = string.digits + string.ascii_letters
KNOWN = "ant_0000000000000000000000000000002C8GjS"


def test_new_keys_are_well_formed_and_all_different() -> None:
    keys = {new_api_key() for _ in range(200)}
    assert len(keys) == 200
    assert all(is_well_formed(key) for key in keys)
    assert all(key.startswith("ant_") and len(key) == 40 and set(key[4:]) <= set(ALPHABET) for key in keys)


def test_the_form_stays_what_it_was() -> None:
    assert is_well_formed(KNOWN)


@given(position=st.integers(4, 39), replacement=st.sampled_from(ALPHABET))
def test_any_changed_character_is_noticed(position: int, replacement: str) -> None:
    changed = KNOWN[:position] + replacement + KNOWN[position + 1 :]
    assert is_well_formed(changed) == (changed == KNOWN)


@given(st.text(max_size=60))
def test_any_other_text_is_no_key(text: str) -> None:
    assert not is_well_formed(text)
    assert not is_well_formed("ant_" + text[:36].ljust(36, "ä"))
