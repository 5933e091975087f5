from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from libs.web import Caller
from libs.web.identity import Unauthenticated, verify
from services.gateway.adapters import identities
from services.gateway.adapters.identities import REUSED_SECONDS, Identities

KEYS = {"voice": b"v" * 32, "storage": b"s" * 32}
CALLER = Caller(org_id=UUID(int=1), key_id=UUID(int=2))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signed(clock: Clock) -> Identities:
    return Identities(KEYS, lambda: datetime.now(UTC), clock)


def test_each_service_gets_its_own(signed: Identities) -> None:
    token = signed.of(CALLER, "voice")
    assert verify(token, "voice", KEYS["voice"]) == CALLER
    assert verify(signed.of(CALLER, "storage"), "storage", KEYS["storage"]) == CALLER
    with pytest.raises(Unauthenticated):
        verify(token, "storage", KEYS["storage"])


def test_each_caller_gets_its_own(signed: Identities) -> None:
    other = Caller(org_id=UUID(int=1), key_id=UUID(int=3))
    assert verify(signed.of(CALLER, "voice"), "voice", KEYS["voice"]) == CALLER
    assert verify(signed.of(other, "voice"), "voice", KEYS["voice"]) == other


def test_it_is_signed_anew_long_before_it_ends(
    signed: Identities, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter(range(10))
    monkeypatch.setattr(identities, "sign", lambda *_arguments: str(next(numbers)))
    assert signed.of(CALLER, "voice") == "0"
    clock.now += REUSED_SECONDS - 0.1
    assert signed.of(CALLER, "voice") == "0"
    clock.now += 0.1
    assert signed.of(CALLER, "voice") == "1"


def test_only_so_many_are_kept(signed: Identities, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identities, "MAX_IDENTITIES", 3)
    for number in range(10):
        caller = Caller(org_id=UUID(int=1), key_id=UUID(int=number))
        assert verify(signed.of(caller, "voice"), "voice", KEYS["voice"]) == caller
        assert len(signed._signed) <= 3
