"""For whom a request is, and for how long a service is left alone."""

from __future__ import annotations

import pytest

from services.gateway.adapters.circuit import FAILURES, PROBE_SECONDS, Circuit
from services.gateway.domain.hosts import Hosts

HOSTS = Hosts(["speech.example.org", ".internal", " Spaced.Example "])


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8080",
        "app.localhost",
        "127.0.0.1:9",
        "192.168.1.5",
        "[::1]",
        "[fe80::1]:8080",
        "speech.example.org",
        "speech.example.org.:443",
        "gateway.svc.internal",
        "spaced.example",
    ],
)
def test_our_names_and_all_addresses_are_ours(host: str) -> None:
    assert HOSTS.allow(host)
    assert HOSTS.allow(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "evil-localhost",
        "speech.example.org.evil.example",
        "internal",
        "127.0.0.1.nip.example",
        "0x7f000001",
        "127.1",
        "localhost:80:80",
        "localhost:x",
        "[::1",
        "[::1]x",
        "user@localhost",
    ],
)
def test_other_names_are_not(host: str) -> None:
    assert not HOSTS.allow(host)


def test_any_name_can_be_allowed() -> None:
    assert Hosts(["*"]).allow("whatever.example")
    assert not Hosts(["*"]).allow("")


class _Clock:
    now = 10.0

    def __call__(self) -> float:
        return self.now


def test_a_service_that_does_not_answer_is_asked_once_in_a_while() -> None:
    clock = _Clock()
    circuit = Circuit(clock)
    for _ in range(FAILURES):
        assert circuit.lets_through()
        circuit.failed()
    assert not circuit.lets_through()
    for _ in range(3):
        clock.now += PROBE_SECONDS
        assert [circuit.lets_through(), circuit.lets_through()] == [True, False]
        circuit.failed()
    clock.now += PROBE_SECONDS
    assert circuit.lets_through()
    circuit.answered()
    assert all(circuit.lets_through() for _ in range(10))


def test_failures_with_answers_between_them_open_nothing() -> None:
    circuit = Circuit(_Clock())
    for _ in range(5 * FAILURES):
        circuit.failed()
        assert circuit.lets_through()
        circuit.answered()
