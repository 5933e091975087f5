"""How webhooks are told, and what becomes of those that do not answer."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from services.gateway.domain.webhooks import (
    DELAYS,
    DISABLE_AFTER,
    FIRST_REST,
    GIVE_UP_AFTER,
    LONGEST_REST,
    ROTATION,
    ErrorKind,
    Secrets,
    must_disable,
    next_attempt,
    outcome_of_status,
    rest_after,
    shown_secret,
    signed_headers,
    wants,
)

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_it_is_signed_as_the_specification_says() -> None:
    # The example of the specification's reference implementations.
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}', [secret])
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert shown_secret(secret) == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_while_a_secret_is_rotated_both_sign() -> None:
    secrets = Secrets(b"n" * 32, b"o" * 32, AT + ROTATION)
    new, old = signed_headers("id", AT, b"{}", secrets.valid_at(AT))["webhook-signature"].split(" ")
    assert new == signed_headers("id", AT, b"{}", [b"n" * 32])["webhook-signature"]
    assert old == signed_headers("id", AT, b"{}", [b"o" * 32])["webhook-signature"]
    assert secrets.valid_at(AT + ROTATION) == (b"n" * 32,)
    assert Secrets(b"n" * 32, None, None).valid_at(AT) == (b"n" * 32,)


def test_attempts_are_spread_over_three_days() -> None:
    at, times = AT, [AT]
    for tried in range(1, 100):
        following = next_attempt(tried, AT, at, jitter=0.0)
        if following is None:
            break
        at = following
        times.append(at)
    pauses = [after - before for before, after in pairwise(times)]
    assert pauses == list(DELAYS) == sorted(DELAYS)
    assert timedelta(days=2, hours=22) < times[-1] - AT <= GIVE_UP_AFTER
    assert next_attempt(1, AT, AT, jitter=1.0) == AT + DELAYS[0] * 1.1


def test_nothing_is_tried_for_more_than_three_days() -> None:
    assert next_attempt(1, AT, AT + GIVE_UP_AFTER, jitter=0.0) is None


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, None),
        (204, None),
        (299, None),
        (301, ErrorKind.REDIRECT),
        (307, ErrorKind.REDIRECT),
        (400, ErrorKind.STATUS),
        (410, ErrorKind.STATUS),
        (503, ErrorKind.STATUS),
    ],
)
def test_what_answers_mean(status: int, error: ErrorKind | None) -> None:
    outcome = outcome_of_status(status, 12)
    assert (outcome.error, outcome.is_success, outcome.is_gone) == (error, error is None, status == 410)


def test_what_fails_rests_for_longer_and_longer() -> None:
    assert rest_after(AT, AT) == AT + FIRST_REST
    minute = AT + timedelta(minutes=1)
    assert rest_after(AT, minute) == minute + timedelta(minutes=1)
    assert rest_after(AT, AT + timedelta(days=1)) == AT + timedelta(days=1) + LONGEST_REST
    assert not must_disable(AT, AT + DISABLE_AFTER - timedelta(seconds=1))
    assert must_disable(AT, AT + DISABLE_AFTER)


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        (["*"], True),
        (["voice.ready"], True),
        (["voice.*"], True),
        (["voice"], True),
        (["generation.*", "voice.ready"], True),
        (["voic"], False),
        (["voice.read"], False),
        (["generation.*"], False),
        ([], False),
    ],
)
def test_what_is_wanted(patterns: list[str], wanted: bool) -> None:
    assert wants(patterns, "voice.ready") is wanted
