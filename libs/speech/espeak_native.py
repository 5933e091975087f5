"""eSpeak NG by ctypes. Imported by the engine process only.

eSpeak NG is GPL-3 and not safe to call from several threads, so it lives in a process of its own; see `espeak_process`.
Structures and constants are those of its `speak_lib.h`, version 1.52; sonic, which stretches time, comes inside it.
"""

from __future__ import annotations

import _ctypes
import ctypes
import os
import shutil
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from libs.speech.alignment import Phoneme, Word

NATIVE_RATES = (80, 450)
"""Words a minute that eSpeak NG speaks by itself; outside, it clamps or gives wrong event times."""

DEFAULT_RATE = 175
"""Words a minute that eSpeak NG speaks unless told otherwise."""

LONGEST_SECONDS = 7200
"""Bounds the memory of a job. 5,000 characters of Chinese at a quarter of the speed take 80 minutes."""

_SYNCHRONOUS, _PHONEME_EVENTS, _DONT_EXIT = 2, 1, 0x8000
_UTF8, _SSML, _PHONEMES, _END_PAUSE = 1, 0x10, 0x100, 0x1000
_TERMINATED, _WORD, _PHONEME = 0, 1, 7
_RATE, _VOLUME, _PITCH, _RANGE, _WORD_GAP = 1, 2, 3, 4, 7
_BUFFER_MS = 500


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("phoneme", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("unused", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


class UnknownVoice(Exception):
    """The engine has no voice or variant of this name."""


class TooLong(Exception):
    """The speech went past the limit that the caller set."""


class Espeak:
    """The engine of this process; there can be only one of each copy of the library, used by one thread.

    What eSpeak NG speaks depends on what it spoke before. With a `seed` it is a copy of the library that has spoken
    nothing yet, so that the same text gives the same samples; `close` it afterwards.
    """

    def __init__(self, seed: int | None = None) -> None:
        package = find_spec("espeakng_loader")
        if package is None or not package.submodule_search_locations:
            raise ModuleNotFoundError("eSpeak NG is not installed: pip install 'antiphon[speech]'")
        folder = Path(package.submodule_search_locations[0])
        self._data = folder / "espeak-ng-data"
        self._library = _load(folder, copied=seed is not None)
        options = _PHONEME_EVENTS | _DONT_EXIT
        self.sample_rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, os.fsencode(folder), options)
        if self.sample_rate <= 0:
            raise RuntimeError(f"eSpeak NG does not start with the data in {self._data}: reinstall espeakng-loader")
        if seed is not None:
            self._library.espeak_ng_SetRandSeed(seed)
        self.version: str = self._library.espeak_Info(None).decode()
        self._callback = _Callback(self._take)
        self._library.espeak_SetSynthCallback(self._callback)
        self._voice: tuple[str, str | None] | None = None
        self._sink: Callable[[bytes], object] = len
        self._words: list[Word] = []
        self._phonemes: list[Phoneme] = []
        self._remaining = 0
        self._failure: BaseException | None = None

    def set_voice(self, name: str, variant: str | None, language: str) -> None:
        """Speak as the voice of this name or identifier, else as the nearest of its language. Raises UnknownVoice."""
        if self._voice == (name, variant):
            return
        self._voice = None
        if variant is not None and not self._has_variant(variant):
            raise UnknownVoice(f"the engine has no variant {variant!r}")
        suffix = f"+{variant}" if variant else ""
        if self._library.espeak_SetVoiceByName(f"{name}{suffix}".encode()) != 0:
            nearest = self._nearest_voice(name) or self._nearest_voice(language)
            if nearest is None or self._library.espeak_SetVoiceByName(nearest + suffix.encode()) != 0:
                raise UnknownVoice(f"the engine has no voice {name!r} and none for the language {language!r}")
        self._voice = (name, variant)

    def set_parameters(
        self, *, rate: int, pitch: int | None, pitch_range: int | None, volume: int | None, word_gap: int | None
    ) -> None:
        """Set all of them, so that nothing of the job before stays. None is the engine's default."""
        set_parameter = self._library.espeak_SetParameter
        set_parameter(_RATE, rate, 0)
        set_parameter(_PITCH, 50 if pitch is None else pitch, 0)
        set_parameter(_RANGE, 50 if pitch_range is None else pitch_range, 0)
        set_parameter(_VOLUME, 100 if volume is None else volume, 0)
        set_parameter(_WORD_GAP, 0 if word_gap is None else word_gap, 0)

    def close(self) -> None:
        """Free what a copy of the library holds; the library of the process itself stays."""
        self._library.espeak_Terminate()
        _ctypes.dlclose(self._library._handle)  # noqa: SLF001 - there is no other way to it

    def speak(
        self,
        text: str,
        sink: Callable[[bytes], None],
        *,
        most_samples: int,
        is_markup: bool = False,
        has_phonemes: bool = False,
        goes_on: bool = False,
    ) -> tuple[list[Word], list[Phoneme], int]:
        """Speak `text`, as SSML if `is_markup`, handing PCM to `sink` as it appears.

        Returns the words, with positions in `text` from 0, the phonemes, and the number of samples. Raises TooLong.
        """
        self._sink, self._words, self._phonemes = sink, [], []
        self._remaining, self._failure = most_samples, None
        encoded = text.encode() + b"\0"
        flags = _UTF8 | (_SSML if is_markup else 0) | (_PHONEMES if has_phonemes else 0)
        # The pause after a sentence, which the engine leaves out at the end of what it is given.
        flags |= _END_PAUSE if goes_on else 0
        status = self._library.espeak_Synth(encoded, len(encoded), 0, 1, 0, flags, None, None)
        if self._failure is not None:
            raise self._failure
        if status != 0:
            raise RuntimeError(f"eSpeak NG refused to speak with status {status}")
        return self._words, self._phonemes, most_samples - self._remaining

    def stretcher(self, speed: float) -> Stretcher:
        """Something that plays this engine's PCM at `speed` times the speed, at the same pitch."""
        return Stretcher(self._library, self.sample_rate, speed)

    def _take(self, pcm: int | None, count: int, events: object) -> int:
        """The engine's callback: 1 stops it. Nothing may be raised through C, so failures wait for `speak`."""
        try:
            self._take_events(events)
            if pcm and count > 0:
                self._remaining -= count
                if self._remaining < 0:
                    raise TooLong
                self._sink(ctypes.string_at(pcm, count * 2))
        except BaseException as failure:  # noqa: BLE001  # `speak` raises it
            self._failure = failure
            return 1
        return 0

    def _take_events(self, events: object) -> None:
        for event in events:  # type: ignore[attr-defined]  # a ctypes pointer: it has no useful static type
            kind = event.type
            if kind == _TERMINATED:
                return
            if kind == _WORD:
                self._words.append(Word(event.text_position - 1, event.length, event.sample))
            elif kind == _PHONEME:
                self._phonemes.append(Phoneme(event.sample, event.id.phoneme.startswith(b"_")))

    def _has_variant(self, variant: str) -> bool:
        """The engine itself takes an unknown variant without a word and speaks with the plain voice."""
        return variant in {file.name for file in (self._data / "voices" / "!v").iterdir()}

    def _nearest_voice(self, language: str) -> bytes | None:
        """The identifier of the voice that the engine thinks best for a language tag; some names work only this way."""
        wanted = _Voice(languages=language.encode())
        if self._library.espeak_SetVoiceByProperties(ctypes.byref(wanted)) != 0:
            return None
        identifier: bytes = self._library.espeak_GetCurrentVoice().contents.identifier
        return identifier


class Stretcher:
    """Changes the speed of PCM without changing its pitch, in pieces."""

    def __init__(self, library: ctypes.CDLL, sample_rate: int, speed: float) -> None:
        self._library = library
        self._stream = library.sonicCreateStream(sample_rate, 1)
        if not self._stream:
            raise MemoryError("sonic has no memory for a stream")
        library.sonicSetSpeed(self._stream, speed)

    def feed(self, pcm: bytes) -> bytes:
        """Take a piece and give what is ready."""
        if not self._library.sonicWriteShortToStream(self._stream, pcm, len(pcm) // 2):
            raise MemoryError("sonic has no memory for more samples")
        return self._drain()

    def finish(self) -> bytes:
        """Give the rest."""
        self._library.sonicFlushStream(self._stream)
        return self._drain()

    def close(self) -> None:
        """Free the stream; nothing may be called afterwards."""
        self._library.sonicDestroyStream(self._stream)

    def _drain(self) -> bytes:
        available = self._library.sonicSamplesAvailable(self._stream)
        buffer = ctypes.create_string_buffer(available * 2)
        count = self._library.sonicReadShortFromStream(self._stream, buffer, available)
        return buffer.raw[: count * 2]


def _load_copy(path: Path) -> ctypes.CDLL:
    """A copy in memory where there is such a thing: a container may forbid to run what lies in its /tmp."""
    if hasattr(os, "memfd_create"):
        copy = os.memfd_create("espeak-ng")
        try:
            with open(copy, "wb", closefd=False) as file:
                file.write(path.read_bytes())
            return ctypes.CDLL(f"/proc/self/fd/{copy}")
        finally:
            os.close(copy)
    with tempfile.TemporaryDirectory(prefix="antiphon-espeak-") as temporary:
        return ctypes.CDLL(shutil.copy(path, temporary))


def _load(folder: Path, *, copied: bool) -> ctypes.CDLL:
    """The library with the types of the calls whose arguments or results are not plain ints.

    A copy under another name is a library of its own to the loader, with a state of its own.
    """
    (path, *_) = [path for path in folder.iterdir() if path.suffix in (".so", ".dylib", ".dll")]
    library = _load_copy(path) if copied else ctypes.CDLL(str(path))
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    library.espeak_Initialize.argtypes = (ctypes.c_int, ctypes.c_int, text, ctypes.c_int)
    library.espeak_Info.argtypes, library.espeak_Info.restype = (pointer,), text
    library.espeak_SetVoiceByName.argtypes = (text,)
    library.espeak_SetVoiceByProperties.argtypes = (ctypes.POINTER(_Voice),)
    library.espeak_GetCurrentVoice.restype = ctypes.POINTER(_Voice)
    library.espeak_Synth.argtypes = (
        text, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint, pointer, pointer
    )  # fmt: skip
    library.sonicCreateStream.argtypes, library.sonicCreateStream.restype = (ctypes.c_int, ctypes.c_int), pointer
    library.sonicSetSpeed.argtypes = (pointer, ctypes.c_float)
    library.sonicWriteShortToStream.argtypes = (pointer, text, ctypes.c_int)
    library.sonicReadShortFromStream.argtypes = (pointer, text, ctypes.c_int)
    for name in ("sonicFlushStream", "sonicSamplesAvailable", "sonicDestroyStream"):
        getattr(library, name).argtypes = (pointer,)
    return library
