"""The process of one model: loads it, reads orders on stdin, speaks, answers on stdout. Run by `boot`.

    python -m libs.speech.adapters.host_process --engine piper --memory-mb 4096 --option model=/voices/en.onnx

It ends when stdin closes, which is also what the death of the worker looks like, when it grows beyond its memory, and
at any error that it does not expect: the worker then starts another. No text of a job ever gets to stderr.
"""

from __future__ import annotations

import _thread
import argparse
import faulthandler
import logging
import os
import resource
import sys
import time
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from libs.speech.adapters.hosted_model import (
    EXIT_GROWN,
    Declined,
    Failed,
    Greeting,
    HostedModel,
    Order,
    Refusal,
    Unusable,
    Voiced,
)
from libs.speech.child_pipes import claim_stdout, die_with_worker, leave_signals_to_the_worker, receive, send

ENGINES = ("chatterbox", "kokoro", "piper")
"""Modules of this package with a function `load(options) -> HostedModel`."""

_LOOK_SECONDS = 0.25
_STATM = Path("/proc/self/statm")


def main(arguments: Sequence[str] | None = None) -> None:
    """Load the model and serve orders until stdin closes."""
    asked = _parser().parse_args(arguments)
    replies = claim_stdout()
    leave_signals_to_the_worker()
    faulthandler.enable()
    logging.disable(logging.CRITICAL)  # what engines log is made of texts
    _thread.start_new_thread(die_with_worker, ())
    _thread.start_new_thread(_die_when_grown, (asked.memory_mb << 20,))
    try:
        model: HostedModel = import_module(f"libs.speech.adapters.{asked.engine}").load(dict(asked.option))
    except Unusable as unusable:
        send(replies, Failed(kind="failed", message=str(unusable)))
        return
    send(replies, _greeting(model))
    while frame := receive(sys.stdin.buffer):
        try:
            order, body = frame
            _answer(model, replies, order, body.decode())
        except Exception as failure:  # noqa: BLE001, its message may quote the text, so only its place is told
            sys.stderr.write(place_of(failure))
            sys.exit(1)


def resident_bytes() -> int:
    """The memory that this process holds; where the system does not tell, the most that it ever held."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def place_of(failure: Exception) -> str:
    """The kind of an error and where it was raised, without its message."""
    return f"{type(failure).__name__} in the engine:\n{''.join(traceback.format_tb(failure.__traceback__))}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Serves one speech model over pipes.")
    parser.add_argument("--engine", choices=ENGINES, required=True)
    parser.add_argument("--memory-mb", type=int, required=True, help="ends itself when it grows beyond this")
    parser.add_argument("--option", type=_named, action="append", default=[], metavar="NAME=VALUE")
    return parser


def _named(option: str) -> tuple[str, str]:
    name, _, value = option.partition("=")
    return name, value


def _die_when_grown(limit: int) -> None:
    """End at once when memory grows beyond the limit, before the system ends something else for it."""
    while resident_bytes() <= limit:
        time.sleep(_LOOK_SECONDS)
    os._exit(EXIT_GROWN)


def _greeting(model: HostedModel) -> Greeting:
    return Greeting(kind="ready", version=model.version, voices=model.voices, languages=model.languages)


def _answer(model: HostedModel, replies: BinaryIO, order: Order, text: str) -> None:
    """Do one job and send what came of it."""
    try:
        speech = model.speak(text, order)
    except Refusal as refusal:
        send(replies, Declined(kind="refused", reason=refusal.reason, message=refusal.message))
        return
    header = Voiced(
        kind="spoken",
        sample_rate=speech.sample_rate,
        words=None if speech.words is None else list(speech.words),
        applied=speech.applied,
        resident_bytes=resident_bytes(),
    )
    send(replies, header, speech.pcm)


if __name__ == "__main__":
    main()
