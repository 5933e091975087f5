"""What eSpeak NG speaks for texts, as phonemes: a process of its own, since the engine is not to be loaded in a test's.

    python -m tests.support.espeak_phonemes

Reads a JSON list of [voice, text, flags of espeak_Synth] on stdin; writes a list of [IPA phonemes, samples].
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

_SYNCHRONOUS, _IPA_EVENTS, _DONT_EXIT = 2, 1 | 2, 0x8000
_END, _PHONEME = 0, 7


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("place", ctypes.c_int * 4),
        ("user_data", ctypes.c_void_p),
        ("phoneme", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


def main() -> None:
    package = find_spec("espeakng_loader")
    assert package is not None
    assert package.submodule_search_locations
    folder = Path(package.submodule_search_locations[0])
    library = ctypes.CDLL(str(next(folder.glob("libespeak-ng.so*"))))
    library.espeak_Synth.argtypes = (
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p,
        ctypes.c_void_p,
    )  # fmt: skip
    assert library.espeak_Initialize(_SYNCHRONOUS, 500, os.fsencode(folder), _IPA_EVENTS | _DONT_EXIT) > 0
    phonemes: list[str] = []
    samples: list[int] = []

    def take(_pcm: int | None, count: int, events: object) -> int:
        samples.append(count)
        for event in events:  # type: ignore[attr-defined]  # a ctypes pointer: it has no useful static type
            if event.type == _END:
                break
            if event.type == _PHONEME:
                phonemes.append(event.phoneme.decode())
        return 0

    callback = _Callback(take)
    library.espeak_SetSynthCallback(callback)
    spoken: list[tuple[str, int]] = []
    for voice, text, flags in json.load(sys.stdin):
        phonemes.clear()
        samples.clear()
        assert library.espeak_SetVoiceByName(voice.encode()) == 0, voice
        encoded = text.encode() + b"\0"
        assert library.espeak_Synth(encoded, len(encoded), 0, 1, 0, flags, None, None) == 0
        spoken.append((" ".join(filter(None, phonemes)), sum(samples)))
    json.dump(spoken, sys.stdout)


if __name__ == "__main__":
    main()
