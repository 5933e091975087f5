"""A token lives by the clock that both ends go by, whatever the machine's says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from libs.web import Caller, IdentityVerifier, Unauthenticated
from libs.web.identity import LEEWAY_SECONDS, LIFETIME_SECONDS, sign

KEY = b"k" * 32
CALLER = Caller(org_id=UUID(int=1), key_id=UUID(int=2))
THEN = datetime(2020, 1, 1, tzinfo=UTC)


def verifier(seconds_later: float) -> IdentityVerifier:
    return IdentityVerifier("voice", KEY, lambda: THEN + timedelta(seconds=seconds_later))


@pytest.mark.parametrize("seconds", [0, -LEEWAY_SECONDS, LIFETIME_SECONDS, LIFETIME_SECONDS + LEEWAY_SECONDS - 1])
def test_it_is_valid_for_its_lifetime_and_a_little_around_it(seconds: float) -> None:
    assert verifier(seconds).verify(sign(CALLER, "voice", KEY, lambda: THEN)) == CALLER


@pytest.mark.parametrize("seconds", [-LEEWAY_SECONDS - 1, LIFETIME_SECONDS + LEEWAY_SECONDS, 7200, -7200])
def test_it_is_not_valid_before_or_after(seconds: float) -> None:
    token = sign(CALLER, "voice", KEY, lambda: THEN)
    with pytest.raises(Unauthenticated):
        verifier(seconds).verify(token)
