"""What the test set-up itself promises."""

from __future__ import annotations

import os
import socket

import pytest
from pytest_socket import SocketBlockedError

from tests.contract.house import ROOT


def test_unit_and_contract_tests_open_no_socket() -> None:
    # The guard warns before it raises, and warnings are errors.
    with pytest.raises((SocketBlockedError, UserWarning), match="A test tried to use socket"):
        socket.create_connection(("127.0.0.1", 1))
    with pytest.raises((SocketBlockedError, UserWarning), match="A test tried to use socket"):
        socket.socket()


def test_unit_and_contract_tests_see_no_settings_of_a_running_stack() -> None:
    assert [name for name in os.environ if name.startswith(("ANTIPHON_", "OTEL_"))] == []


async def test_asynchronous_tests_need_no_mark() -> None:
    assert ROOT.is_dir()
