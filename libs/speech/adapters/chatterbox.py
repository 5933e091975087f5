"""Chatterbox: a model that speaks like a recording (chatterbox-tts 0.1.7, MIT; its audio carries a watermark).

It pins a PyTorch of its own, so its process runs in the interpreter of another environment. The module has both sides:
`chatterbox_engine` for the worker, `load` for the process of the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version as distribution_version
from pathlib import Path
from typing import Any

from libs.speech.adapters.host import Engine, HostedEngine, Hosting
from libs.speech.adapters.hosted_model import Order, Refusal, Unusable, engine_package, existing
from libs.speech.adapters.protocol import EngineVoice, Speech

LONGEST_TEXT = 400
"""The model stops after 1,000 speech tokens, 40 s at 25 a second, and says nothing of what it left out."""

VOICE = "default"
"""The speaker that comes with the weights, in `conds.pt`; every other one comes with a reference."""

_TURBO_FILE = "t3_turbo_v1.safetensors"
_COMMON = ("temperature", "top_p", "repetition_penalty")
_OWN = {False: ("min_p", "exaggeration", "cfg_weight"), True: ("top_k",)}  # by whether it is Turbo
_WHOLE = ("top_k",)
_ADVICE = (
    "make an environment for it (python -m venv DIR; DIR/bin/pip install chatterbox-tts) and set "
    "ANTIPHON_CHATTERBOX_PYTHON to DIR/bin/python"
)


def chatterbox_engine(directory: Path, hosting: Hosting | None = None, *, device: str = "cpu") -> HostedEngine:
    """The weights in `directory`, of the original or the Turbo model, whichever lies there; `device` is PyTorch's."""
    turbo = is_turbo(directory)
    return HostedEngine(
        Engine(
            name="chatterbox",
            model="chatterbox-turbo" if turbo else "chatterbox",
            module="chatterbox",
            honours=frozenset({*_COMMON, *_OWN[turbo], "seed", "reference"}),
            longest_text=LONGEST_TEXT,
            options={"directory": str(directory), "device": device},
        ),
        hosting,
    )


def is_turbo(directory: Path) -> bool:
    """Whether the weights are those of the Turbo model."""
    return (directory / _TURBO_FILE).exists()


def generate_arguments(order: Order, *, turbo: bool) -> dict[str, float | int | str]:
    """The keywords of `generate` for what the order sets; the model's own defaults hold for the rest."""
    arguments: dict[str, float | int | str] = {}
    for name in (*_COMMON, *_OWN[turbo]):
        if name in order["parameters"]:
            value = order["parameters"][name]
            arguments[name] = int(value) if name in _WHOLE else float(value)
    if order["reference"] is not None:
        arguments["audio_prompt_path"] = order["reference"]
    return arguments


def load(options: Mapping[str, str]) -> ChatterboxModel:
    """The weights at `options["directory"]` on `options["device"]`. Raises Unusable."""
    directory = existing(Path(options["directory"]), "Chatterbox's directory", "ANTIPHON_CHATTERBOX_DIR")
    turbo = is_turbo(directory)
    module = engine_package("chatterbox.tts_turbo" if turbo else "chatterbox.tts", _ADVICE)
    torch = engine_package("torch", _ADVICE)
    kind = module.ChatterboxTurboTTS if turbo else module.ChatterboxTTS
    try:
        model = kind.from_local(directory, options["device"])
    except Exception as failure:
        raise Unusable(f"Chatterbox cannot load {directory} on {options['device']}: {failure}") from failure
    return ChatterboxModel(model, torch.manual_seed, turbo=turbo)


class ChatterboxModel:
    """`HostedModel` on a `ChatterboxTTS` or `ChatterboxTurboTTS`, which speak English and give no timings."""

    languages = ["en"]  # noqa: RUF012, a property in the Protocol

    # Any: the package is an extra of another environment, and nothing but this class touches it.
    def __init__(self, model: Any, manual_seed: Any, *, turbo: bool) -> None:
        self._model = model
        self._manual_seed = manual_seed
        self._turbo = turbo
        self._own_speaker = model.conds
        self.version = distribution_version("chatterbox-tts")
        self.voices = [] if self._own_speaker is None else [EngineVoice(VOICE, "en")]

    def speak(self, text: str, order: Order) -> Speech:
        """Speak one text. Raises Refusal for another language, an unknown voice or a missing reference."""
        from libs.speech.adapters import pcm

        self._check(order)
        arguments = generate_arguments(order, turbo=self._turbo)
        # `generate` keeps the last reference for all that follow, who would speak with a stranger's voice.
        self._model.conds = self._own_speaker
        if order["seed"] is not None:
            self._manual_seed(order["seed"])
        audio = self._model.generate(text, **arguments)
        applied: dict[str, object] = {name: value for name, value in arguments.items() if name != "audio_prompt_path"}
        if order["reference"] is not None:
            applied["reference"] = True
        if order["seed"] is not None:
            applied["seed"] = order["seed"]
        return Speech(pcm.from_floats(audio) or pcm.silence(self._model.sr), self._model.sr, None, applied)

    def _check(self, order: Order) -> None:
        language = order["language"]
        if language and language.partition("-")[0].lower() != "en":
            raise Refusal("language", f"this model of Chatterbox speaks English, not {language}")
        if order["reference"] is None:
            if order["voice"] not in ("", VOICE):
                raise Refusal("voice", f"Chatterbox has no voice {order['voice']!r}: send a reference, or {VOICE!r}")
            if self._own_speaker is None:
                raise Refusal("reference", "these weights have no speaker of their own: send a reference")
        elif not Path(order["reference"]).is_file():
            raise Refusal("reference", "the reference is not there any more")
