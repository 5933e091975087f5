"""Work that goes on in the background: this process shows its first steps and returns when it is ready."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import IO, NoReturn

from deploy.embedded.errors import StackError

Announce = Callable[[str], None]
Ready = Callable[[], None]
Work = Callable[[Announce, Ready], None]


def run_in_background(work: Work, log: IO[bytes], show: Announce) -> None:
    """Run `work` as a daemon: in a session of its own, with `log` as its output and no terminal.

    `work` is given two functions: what it announces is shown here by `show` (and logged) until it calls the second one,
    which lets this function return. Raises StackError with its reason when it ends before; an interrupt here stops it.
    """
    readable, writable = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    middle = os.fork()
    if middle == 0:
        os.close(readable)
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        _run_as_daemon(work, log, writable)
    os.close(writable)
    os.waitpid(middle, 0)
    with os.fdopen(readable) as messages:
        daemon = int(messages.readline())
        try:
            _follow(messages, show)
        except KeyboardInterrupt:
            show("interrupted; everything is stopped again")
            with suppress(ProcessLookupError, StackError):
                os.kill(daemon, signal.SIGTERM)
                _follow(messages, show)
            raise


def _follow(messages: IO[str], show: Announce) -> None:
    for line in messages:
        kind, text = json.loads(line)
        if kind == "ready":
            return
        if kind == "failed":
            raise StackError(text)
        show(text)
    raise StackError("The supervisor ended before the stack was ready; see: antiphon logs supervisor")


def _run_as_daemon(work: Work, log: IO[bytes], descriptor: int) -> NoReturn:
    """Never returns into the code of the process that was forked."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log.fileno(), 1), (log.fileno(), 2)):
        os.dup2(source, target)
    os.chdir("/")
    messages = os.fdopen(descriptor, "w")

    def tell(kind: str, text: str) -> None:
        # Whoever started this may have gone, or have heard all that it wanted; the log has it in any case.
        with suppress(BrokenPipeError, ValueError):
            print(json.dumps([kind, text]), file=messages, flush=True)

    def announce(text: str) -> None:
        print(text, flush=True)
        tell("announced", text)

    def ready() -> None:
        tell("ready", "")
        with suppress(BrokenPipeError):
            messages.close()

    code = 1
    try:
        print(os.getpid(), file=messages, flush=True)
        work(announce, ready)
        code = 0
    except StackError as error:
        print(error, flush=True)
        tell("failed", str(error))
    except BaseException as error:  # noqa: BLE001, the process ends here, and somebody waits for the reason
        traceback.print_exc()
        tell("failed", f"{type(error).__name__}: {error}\nSee: antiphon logs supervisor")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
