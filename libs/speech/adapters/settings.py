"""Which engines beside the embedded one an installation has, from its environment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field, HttpUrl, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.speech.adapters.chatterbox import chatterbox_engine
from libs.speech.adapters.host import Hosting
from libs.speech.adapters.kokoro import kokoro_engine
from libs.speech.adapters.openai_http import OPENAI_VOICES, OpenAiSpeechEngine, Server
from libs.speech.adapters.piper import piper_engine
from libs.speech.adapters.protocol import PcmEngine


class EngineSettings(BaseSettings):
    """Each engine is there if its first setting is. Lists are separated by commas. See docs/engines.md."""

    model_config = SettingsConfigDict(env_prefix="ANTIPHON_", frozen=True, extra="ignore", env_ignore_empty=True)

    openai_speech_url: HttpUrl | None = None
    openai_speech_key_file: Path | None = None
    openai_speech_model: str = "tts-1"
    openai_speech_format: Literal["pcm", "wav"] = "pcm"
    openai_speech_voices: str = ",".join(OPENAI_VOICES)
    openai_speech_extras: str = ""
    """Names of parameters that the server takes beside OpenAI's own, such as "temperature,seed"."""
    openai_speech_concurrency: int = Field(default=8, ge=1, le=1000)

    piper_model: str = ""
    """Paths of .onnx files; each is an engine of its own."""
    kokoro_model: Path | None = None
    kokoro_voices: Path | None = None
    chatterbox_dir: Path | None = None
    chatterbox_python: Path | None = None
    """The interpreter of the environment that has chatterbox-tts; ours if it is not given."""
    chatterbox_device: str = "cpu"

    engine_model_processes: int = Field(default=1, ge=1, le=64)
    """Processes for each model on this machine; each holds the model on its own."""
    engine_memory_mb: int = Field(default=4096, ge=256)
    """What one of them may take."""
    engine_start_seconds: float = Field(default=180.0, gt=0)
    engine_timeout_seconds: float = Field(default=120.0, gt=0)

    @model_validator(mode="after")
    def _complete(self) -> EngineSettings:
        if (self.kokoro_model is None) != (self.kokoro_voices is None):
            raise ValueError("Kokoro needs both: set ANTIPHON_KOKORO_MODEL and ANTIPHON_KOKORO_VOICES")
        return self


def configured_engines(settings: EngineSettings) -> list[PcmEngine]:
    """The engines that are configured, not started. Raises OSError for a key that cannot be read."""
    engines: list[PcmEngine] = []
    if settings.openai_speech_url is not None:
        engines.append(OpenAiSpeechEngine(_server(settings, str(settings.openai_speech_url))))
    hosting = Hosting(
        processes=settings.engine_model_processes,
        memory_mb=settings.engine_memory_mb,
        start_seconds=settings.engine_start_seconds,
        timeout_seconds=settings.engine_timeout_seconds,
    )
    engines += [piper_engine(Path(path), hosting) for path in _listed(settings.piper_model)]
    if settings.kokoro_model is not None and settings.kokoro_voices is not None:
        engines.append(kokoro_engine(settings.kokoro_model, settings.kokoro_voices, hosting))
    if settings.chatterbox_dir is not None:
        elsewhere = replace(hosting, python=settings.chatterbox_python)
        engines.append(chatterbox_engine(settings.chatterbox_dir, elsewhere, device=settings.chatterbox_device))
    return engines


def _server(settings: EngineSettings, url: str) -> Server:
    key = settings.openai_speech_key_file
    return Server(
        url=url,
        model=settings.openai_speech_model,
        key=None if key is None else key.read_text(encoding="utf-8").strip(),
        response_format=settings.openai_speech_format,
        voices=_listed(settings.openai_speech_voices),
        extras=frozenset(_listed(settings.openai_speech_extras)),
        concurrency=settings.openai_speech_concurrency,
        timeout_seconds=settings.engine_timeout_seconds,
    )


def _listed(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]
