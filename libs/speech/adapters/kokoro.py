"""Kokoro: an 82M model in ONNX with many voices in one file (kokoro-onnx 0.6.1; package MIT, weights Apache-2.0).

The module has both sides: `kokoro_engine` for the worker, `load` for the process of the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version as distribution_version
from pathlib import Path
from typing import Any

from libs.speech.adapters.host import Engine, HostedEngine, Hosting
from libs.speech.adapters.hosted_model import Order, Refusal, Unusable, engine_package, existing, matching_language
from libs.speech.adapters.protocol import EngineVoice, Speech
from libs.speech.adapters.word_times import TimedPhoneme, word_times, words_of
from libs.speech.spoken_text import readable

LONGEST_TEXT = 5_000
"""Kokoro speaks at most 510 phonemes at a time and joins them, so this bounds the time of a job only."""

SPEEDS = (0.5, 2.0)
"""What the package accepts; a job that asks for more gets the nearest, and is told so."""

_ADVICE = "pip install antiphon[kokoro]"
_SAMPLE_RATE = 24_000
_LANGUAGES = {
    "a": ("en-US", "en-us"), "b": ("en-GB", "en-gb"), "e": ("es", "es"), "f": ("fr-FR", "fr-fr"), "h": ("hi", "hi"),
    "i": ("it", "it"), "p": ("pt-BR", "pt-br"),
}  # fmt: skip
"""By the first letter of a voice: its BCP-47 tag and the name that turns text into phonemes. Japanese and Chinese
voices (j, z) need readers of their own that the package does not bring, so they are not offered."""

_BY_TAG = {"en": "en-us", "pt": "pt-br", "fr": "fr-fr"} | {tag.lower(): name for tag, name in _LANGUAGES.values()}


def kokoro_engine(model: Path, voices: Path, hosting: Hosting | None = None) -> HostedEngine:
    """The model in `model`, an .onnx file, with the voices in `voices`, the .bin file that belongs to it."""
    return HostedEngine(
        Engine(
            name="kokoro",
            model=model.name.removesuffix(".onnx"),
            module="kokoro",
            honours=frozenset({"speed"}),
            longest_text=LONGEST_TEXT,
            options={"model": str(model), "voices": str(voices)},
        ),
        hosting,
    )


def load(options: Mapping[str, str]) -> KokoroModel:
    """The model at `options["model"]` with the voices at `options["voices"]`. Raises Unusable."""
    path = existing(Path(options["model"]), "Kokoro's model file", "ANTIPHON_KOKORO_MODEL")
    voices = existing(Path(options["voices"]), "Kokoro's voices file", "ANTIPHON_KOKORO_VOICES")
    package = engine_package("kokoro_onnx", _ADVICE)
    phonemizer = engine_package("phonemizer", _ADVICE)
    try:
        kokoro = package.Kokoro(str(path), str(voices))
        names = kokoro.get_voices()
    except Exception as failure:
        raise Unusable(f"Kokoro cannot load {path} with {voices}: {failure}") from failure
    offered = [EngineVoice(name, _LANGUAGES[name[0]][0]) for name in names if name[:1] in _LANGUAGES]
    if not offered:
        raise Unusable(f"{voices} has no voice whose language can be read; check ANTIPHON_KOKORO_VOICES")
    return KokoroModel(kokoro, phonemizer.phonemize, offered)


class KokoroModel:
    """`HostedModel` on a `kokoro_onnx.Kokoro`. Word times need an export of the model that reports durations."""

    # Any: the package is an extra, and nothing but this class touches it.
    def __init__(self, kokoro: Any, phonemize: Any, voices: list[EngineVoice]) -> None:
        self._kokoro = kokoro
        self._phonemize = phonemize
        self.version = distribution_version("kokoro-onnx")
        self.voices = voices
        self.languages = sorted({voice.language for voice in voices if voice.language is not None})

    def speak(self, text: str, order: Order) -> Speech:
        """Speak one text. Raises Refusal for an unknown voice or a language that cannot be read."""
        from libs.speech.adapters import pcm

        voice = self._voice(order["voice"])
        language = _reader(order["language"] or voice.language or "")
        slowest, fastest = SPEEDS
        speed = min(max(order["speed"], slowest), fastest)
        applied: dict[str, object] = {"speed": speed}
        safe = readable(text)
        phonemes = self._kokoro.tokenizer.phonemize(safe, language)
        if not phonemes.strip():
            return Speech(pcm.silence(_SAMPLE_RATE), _SAMPLE_RATE, None, applied)
        audio, rate, timings = self._kokoro.create_timed(phonemes, voice.name, speed, language, is_phonemes=True)
        words = words_of(safe)
        timed = [TimedPhoneme(timing.phoneme, timing.start) for timing in timings]
        times = word_times(words, self._each_alone([word.text for word in words], language), timed) if timed else None
        return Speech(pcm.from_floats(audio) or pcm.silence(rate), rate, times, applied)

    def _voice(self, name: str) -> EngineVoice:
        for voice in self.voices:
            if name in ("", voice.name):
                return voice
        raise Refusal("voice", f"Kokoro has no voice {name!r} here; ask for the list of its voices")

    def _each_alone(self, words: Sequence[str], language: str) -> list[Iterable[str]]:
        alone = self._phonemize(words, language, preserve_punctuation=True, with_stress=True)
        return [self._kokoro.tokenizer.known(phonemes) for phonemes in alone]


def _reader(language: str) -> str:
    """The name of the language for whoever turns text into phonemes. Raises Refusal."""
    name = matching_language(language, _BY_TAG)
    if name is None:
        spoken = ", ".join(tag for tag, _ in _LANGUAGES.values())
        raise Refusal("language", f"Kokoro does not read {language} here; it reads {spoken}")
    return name
