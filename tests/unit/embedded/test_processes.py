from __future__ import annotations

import os
import signal
from pathlib import Path

from deploy.embedded.keeper import describe_exit, pause_before
from deploy.embedded.leftovers import find_leftovers
from deploy.embedded.processes import identify, is_running


def test_pauses_double_up_to_half_a_minute() -> None:
    assert [pause_before(deaths) for deaths in (1, 2, 3, 4)] == [0.2, 0.4, 0.8, 1.6]
    assert pause_before(50) == 30.0


def test_an_end_is_told_in_words() -> None:
    assert describe_exit(3) == "ended with exit code 3"
    assert describe_exit(-signal.SIGKILL) == "was ended by SIGKILL"
    assert describe_exit(-99) == "was ended by signal 99"


def test_a_process_is_recognised_and_a_stranger_with_its_pid_is_not() -> None:
    me = os.getpid()
    assert is_running(me, identify(me))
    assert not is_running(me, "another boot:1")
    assert not is_running(me, None)
    assert identify(2**22 + 1) is None
    assert not is_running(2**22 + 1, "another boot:1")


def test_nothing_of_others_is_left_over(tmp_path: Path) -> None:
    strangers = [(os.getppid(), "another boot:1"), (1, None)]
    assert find_leftovers(tmp_path, strangers) == []
