"""What a model in a process of its own says to the worker that asked for it, and how it refuses.

Imported by both sides; the one that holds the model may run in an environment of its own (Python 3.11 or later), so
this and what it imports need the standard library only.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Literal, Protocol, TypedDict

from libs.speech.adapters.protocol import EngineVoice, Speech, WordTime

EXIT_GROWN = 77
"""The exit code of a process that took more memory than it may."""


class Order(TypedDict):
    """A job as it travels; the text is the frame's body. Fields as in `protocol.SpeechJob`."""

    voice: str
    language: str
    speed: float
    parameters: Mapping[str, float | int]
    seed: int | None
    reference: str | None


class Greeting(TypedDict):
    """The first frame of a process whose model is loaded."""

    kind: Literal["ready"]
    version: str
    voices: list[EngineVoice]
    languages: list[str] | None


class Failed(TypedDict):
    """The first and only frame of a process whose model cannot be loaded; `message` says what to do."""

    kind: Literal["failed"]
    message: str


class Voiced(TypedDict):
    """The job is done; the body is the PCM. A word time arrives as a list of its fields."""

    kind: Literal["spoken"]
    sample_rate: int
    words: list[WordTime] | None
    applied: Mapping[str, object]
    resident_bytes: int


Reason = Literal["text", "voice", "language", "reference"]


class Declined(TypedDict):
    """The job cannot be done, now or later; the process is fine."""

    kind: Literal["refused"]
    reason: Reason
    message: str


class Unusable(Exception):
    """The model cannot be loaded; the message says what to do."""


class Refusal(Exception):
    """The job cannot be done."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class HostedModel(Protocol):
    """A loaded model. Its process calls it from one thread, one job at a time."""

    @property
    def version(self) -> str:
        """Of the package that runs the model."""

    @property
    def voices(self) -> list[EngineVoice]:
        """The first is the one that a job without a voice gets."""

    @property
    def languages(self) -> list[str] | None:
        """BCP-47 tags; None if the model does not say."""

    def speak(self, text: str, order: Order) -> Speech:
        """Speak one text. Raises Refusal; anything else ends the process."""


def engine_package(module: str, advice: str) -> ModuleType:
    """The package of an engine. Raises Unusable: with `advice` if it is not installed, else with the cause."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        if missing.name == module.partition(".")[0]:
            raise Unusable(f"the Python package {missing.name!r} is not installed: {advice}") from None
        raise Unusable(f"{module!r} needs {missing.name!r}, which is not installed: {advice}") from None
    except Exception as failure:
        raise Unusable(f"{module!r} is installed but cannot be loaded: {failure}") from failure


def existing(path: Path, what: str, setting: str) -> Path:
    """The path, if there is such a file or directory. Raises Unusable, naming the setting that leads to it."""
    if not path.exists():
        raise Unusable(f"{what} not found: {path}; check {setting}")
    return path


def matching_language(wanted: str, known: Mapping[str, str]) -> str | None:
    """What `known` has for a BCP-47 tag, by the tag itself or else by its language alone; keys are in lower case."""
    tag = wanted.lower().replace("_", "-")
    return known.get(tag) or known.get(tag.partition("-")[0])
