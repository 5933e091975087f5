"""Piper: VITS voices in ONNX, one file per voice with its settings in a JSON file beside it (piper-tts 1.8, GPL-3).

The module has both sides: `piper_engine` for the worker, `load` for the process of the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version as distribution_version
from pathlib import Path
from typing import Any

from libs.speech.adapters.host import Engine, HostedEngine, Hosting
from libs.speech.adapters.hosted_model import Order, Refusal, Unusable, engine_package, existing
from libs.speech.adapters.protocol import EngineVoice, Speech, WordTime
from libs.speech.adapters.word_times import TimedPhoneme, word_times, words_of
from libs.speech.spoken_text import readable

LONGEST_TEXT = 5_000
"""Piper speaks sentence by sentence, so this bounds the time of a job, not what the model can take."""

_ADVICE = "pip install antiphon[piper]"


def piper_engine(model: Path, hosting: Hosting | None = None) -> HostedEngine:
    """The voice in `model`, an .onnx file with its .onnx.json beside it."""
    return HostedEngine(
        Engine(
            name="piper",
            model=model.name.removesuffix(".onnx"),
            module="piper",
            honours=frozenset({"speed", "temperature"}),
            longest_text=LONGEST_TEXT,
            options={"model": str(model)},
        ),
        hosting,
    )


def load(options: Mapping[str, str]) -> PiperModel:
    """The model at `options["model"]`. Raises Unusable."""
    path = existing(Path(options["model"]), "Piper's model file", "ANTIPHON_PIPER_MODEL")
    settings = existing(path.with_name(f"{path.name}.json"), "the settings of Piper's model", "that they lie there")
    piper = engine_package("piper", _ADVICE)
    if json.loads(settings.read_bytes()).get("phoneme_type") == "pinyin":
        # Piper would download it with the first text.
        existing(path.parent / "g2pW/g2pw.onnx", "the reader of Chinese (g2pW)", "that it lies there")
    try:
        voice = piper.PiperVoice.load(path, settings, download_dir=path.parent, include_alignments=True)
    except Exception as failure:
        raise Unusable(f"Piper cannot load {path}: {failure}") from failure
    return PiperModel(path.name.removesuffix(".onnx"), voice, piper.SynthesisConfig)


class PiperModel:
    """`HostedModel` on a `piper.PiperVoice`.

    `temperature` is `noise_scale`, by which VITS multiplies the noise that it samples from: 0 is without chance, and
    Piper's usual is 0.667. `speed` divides `length_scale`.
    """

    # Any: the package is an extra, and nothing but this class touches it.
    def __init__(self, name: str, voice: Any, synthesis_config: Any) -> None:
        self._voice = voice
        self._synthesis_config = synthesis_config
        self._speakers: Mapping[str, int] = voice.config.speaker_id_map or {}
        self._name = name
        self.version = distribution_version("piper-tts")
        self.languages = [_tag(voice.config.espeak_voice)]
        self.voices = [EngineVoice(speaker, self.languages[0]) for speaker in self._speakers or [name]]

    def speak(self, text: str, order: Order) -> Speech:
        """Speak one text. Raises Refusal for an unknown speaker or another language."""
        from libs.speech.adapters import pcm

        self._check_language(order["language"])
        safe = readable(text).replace("[[", "[ ")  # Piper takes what stands in [[ ]] for phonemes
        config, applied = self._configured(order)
        rate = self._voice.config.sample_rate
        parts: list[bytes] = []
        timed: list[TimedPhoneme] | None = []
        samples = 0
        for chunk in self._voice.synthesize(safe, config, include_alignments=True):
            timed = None if timed is None else _continued(timed, chunk.phoneme_alignments, samples, rate)
            parts.append(pcm.from_floats(chunk.audio_float_array))
            samples += len(parts[-1]) // 2
        return Speech(b"".join(parts) or pcm.silence(rate), rate, self._word_times(safe, timed), applied)

    def _check_language(self, wanted: str) -> None:
        own = self.languages[0]
        if wanted and wanted.partition("-")[0].lower() != own.partition("-")[0].lower():
            raise Refusal("language", f"the voice {self._name} speaks {own}, not {wanted}: use another voice")

    def _configured(self, order: Order) -> tuple[Any, dict[str, object]]:
        """Piper's settings for one job, and what of the order they honour."""
        applied: dict[str, object] = {"speed": order["speed"]}
        noise = None
        if "temperature" in order["parameters"]:
            noise = applied["temperature"] = float(order["parameters"]["temperature"])
        length = self._voice.config.length_scale / order["speed"]
        speaker = self._speaker(order["voice"])
        return self._synthesis_config(speaker_id=speaker, length_scale=length, noise_scale=noise), applied

    def _speaker(self, voice: str) -> int | None:
        if self._speakers and voice in self._speakers:
            return self._speakers[voice]
        if voice in ("", self._name):
            return None  # the default of the model
        names = ", ".join(known.name for known in self.voices[:10])
        raise Refusal("voice", f"the model {self._name} has no voice {voice!r}; it has {names}")

    def _word_times(self, text: str, timed: list[TimedPhoneme] | None) -> tuple[WordTime, ...] | None:
        if not timed:
            return None
        words = words_of(text)
        return word_times(words, [self._phonemes(word.text) for word in words], timed)

    def _phonemes(self, word: str) -> list[str]:
        return [phoneme for sentence in self._voice.phonemize(word) for phoneme in sentence]


def _continued(
    timed: list[TimedPhoneme], alignments: Iterable[Any] | None, samples_before: int, rate: int
) -> list[TimedPhoneme] | None:
    """`timed` and the phonemes of the next sentence; None if the model gives no times for it."""
    if alignments is None:
        return None
    at = samples_before
    for alignment in alignments:
        timed.append(TimedPhoneme(alignment.phoneme, at / rate))
        at += int(alignment.num_samples)
    return timed


def _tag(espeak_voice: str) -> str:
    """The BCP-47 tag of eSpeak's name for a language: "en-us" is en-US, "gmw/en-US" too."""
    language, _, region = espeak_voice.rpartition("/")[2].partition("-")
    return f"{language}-{region.upper()}" if len(region) == 2 else language
