"""Aligning a recording with its text: nothing of either is kept."""

from __future__ import annotations

from libs.audio.intake import IntakeError
from libs.speech.engine import UnknownEngineVoice
from libs.speech.languages import profile_for_language
from services.voice.domain import LanguageNotSpoken
from services.voice.domain.alignments import AUDIO_MAX_SECONDS, Aligned, Recording, RecordingNotAligned
from services.voice.usecases.deps import Deps


async def align_recording(deps: Deps, content: bytes, text: str, language: str | None) -> tuple[Aligned, float]:
    """Find when each character of `text` is heard in the recording that a file holds, and how many seconds it has.

    Raises LanguageNotSpoken, RecordingNotAligned, AligningFailed, IntakeUnavailable.
    """
    if language is not None:
        try:
            profile_for_language(language)
        except UnknownEngineVoice as error:
            raise LanguageNotSpoken(language) from error
    try:
        examined = await deps.examine(content)
    except IntakeError as problem:
        raise RecordingNotAligned(str(problem)) from problem
    if examined.report.stopped_early:
        raise RecordingNotAligned(f"it is longer than {AUDIO_MAX_SECONDS // 60} minutes; send it in parts")
    aligned = await deps.align(Recording(examined.pcm, examined.sample_rate, text, language))
    return aligned, len(examined.pcm) / 2 / examined.sample_rate
