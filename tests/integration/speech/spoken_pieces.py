"""A text through the real plan and the real engine, as the worker composes them, without what stores it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from libs.speech.encoding import Joiner, OutputFormat
from libs.speech.engine import Rendered, RenderJob
from libs.speech.espeak import EspeakEngine
from libs.speech.kept import KeptChunk, placed, unpack
from libs.speech.languages import profile_for_language
from libs.speech.text.reading import source_times
from services.generation.domain.requests import InputType
from services.generation.domain.speech import Piece, Script


@dataclass(frozen=True)
class Spoken:
    """The file, how long it is, where each piece begins in text and time, and when each code point is heard."""

    form: OutputFormat
    audio: bytes
    duration: float
    pieces: list[tuple[int, float]]
    starts: list[float]
    ends: list[float]


async def speak(
    engine: EspeakEngine,
    text: str,
    language: str,
    form: OutputFormat,
    *,
    input_type: InputType = "text",
    chunked: bool,
    seed: int | None = None,
) -> Spoken:
    """Speak a text whole or in chunks. Raises InvalidMarkup and what the engine does."""
    script = Script(text, input_type, None, language)
    pieces = script.pieces() if chunked else [script.whole()]
    jobs = [
        RenderJob(
            text=piece.reading.text,
            voice=profile_for_language(language).to_settings(),
            form=form,
            seed=seed,
            is_markup=input_type == "ssml",
            has_phonemes=input_type == "ssml",
            goes_on=chunked,
            language=language,
        )
        for piece in pieces
    ]
    return _join(form, pieces, await asyncio.gather(*map(engine.render, jobs)))


def _join(form: OutputFormat, pieces: Sequence[Piece], rendered: Sequence[Rendered]) -> Spoken:
    total = sum(one.samples for one in rendered)
    joiner = Joiner(form, total)
    audio = [joiner.head()]
    begins: list[tuple[int, float]] = []
    starts: list[float] = []
    ends: list[float] = []
    done = 0
    for piece, one in zip(pieces, rendered, strict=True):
        kept = unpack(KeptChunk(one.segment, one.samples, one.starts, one.ends).pack())
        assert piece.first == len(starts)
        begins.append((piece.first, done / form.sample_rate))
        times = source_times(piece.characters, piece.reading.origins, kept.starts, kept.ends)
        starts += placed(times[0], done, kept.samples, form.sample_rate)
        ends += placed(times[1], done, kept.samples, form.sample_rate)
        audio.append(joiner.add(kept.segment))
        done += kept.samples
    audio.append(joiner.finish())
    return Spoken(form, b"".join(audio), total / form.sample_rate, begins, starts, ends)
