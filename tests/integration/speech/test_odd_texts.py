"""Whatever is sent to be spoken, the engine processes live, answer, and stay small."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from libs.speech.encoding import parse_output_format
from libs.speech.engine import RenderJob
from libs.speech.espeak import EspeakEngine
from libs.speech.languages import profile_for_language
from services.generation.domain.errors import InvalidMarkup
from services.generation.domain.requests import InputType
from services.generation.domain.speech import WHOLE_MAX_LENGTH, Piece, Script
from tests.support.odd_texts import KINDS, odd_texts
from tests.support.texts import LANGUAGES

TEXTS = 2_000
SEED = 20
LONGEST = 4_000
FORM = parse_output_format("pcm_22050")
LONG, SHORT, LONG_EVERY = 1_200, 100, 17
"""Characters of a text: some are planned in chunks, and all together do not take long."""
SPEED = 2.5
"""For the same reason; what an engine could die of is the text."""
PROCESS_MAX_MB = 200
"""Of a process that has spoken one text after another; one that has spoken nothing has 40."""
PROCESSES = 2


@pytest.fixture
async def engine() -> AsyncIterator[EspeakEngine]:
    started = EspeakEngine(PROCESSES, timeout_seconds=30, recycle_after=1_000_000)
    await started.start()
    yield started
    await started.close()


def pieces_of(text: str, input_type: InputType, language: str) -> list[Piece]:
    """As a request's text is planned; nothing of a text that is refused."""
    try:
        script = Script(text, input_type, None, language)
    except InvalidMarkup:
        return []
    return [script.whole()] if len(text) <= WHOLE_MAX_LENGTH else script.pieces()


def jobs_of(number: int, text: str) -> list[RenderJob]:
    """Alternately in English and in each language of the corpus; some as markup, some with phonemes."""
    text = text[: SHORT if number % LONG_EVERY else LONG]
    language = "en-US" if number % 2 else list(LANGUAGES)[number // 2 % len(LANGUAGES)]
    kinds: list[InputType] = ["text", "ssml"] if number % 4 == 0 else ["text"]
    return [
        RenderJob(
            text=piece.reading.text,
            voice=profile_for_language(language).to_settings(),
            form=FORM,
            speed=SPEED,
            is_markup=kind == "ssml",
            has_phonemes=kind == "ssml" or number % 3 == 0,
            goes_on=len(text) > WHOLE_MAX_LENGTH,
        )
        for kind in kinds
        for piece in pieces_of(text, kind, language)
    ]


def megabytes(pid: int) -> float:
    """The most memory that the process has had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


@pytest.mark.timeout(300)
async def test_two_thousand_odd_texts_are_spoken_by_the_same_processes(engine: EspeakEngine) -> None:
    before = engine.process_ids
    work = [(kind, job) for number, (kind, text) in enumerate(odd_texts(TEXTS, SEED)) for job in jobs_of(number, text)]
    assert {kind for kind, _ in work} == set(KINDS)
    waiting = iter(work)

    async def one_after_another() -> None:
        for kind, job in waiting:
            rendered = await engine.render(job)
            assert len(rendered.starts) == len(rendered.ends) == len(job.text), (kind, ascii(job.text))
            assert all(before <= after for before, after in pairwise(rendered.starts)), (kind, ascii(job.text))
            assert 0 <= rendered.starts[0] <= rendered.ends[-1] <= rendered.duration_seconds, (kind, ascii(job.text))

    await asyncio.gather(*(one_after_another() for _ in range(PROCESSES)))
    assert engine.process_ids == before, "none was replaced"
    assert max(map(megabytes, before)) < PROCESS_MAX_MB


async def test_the_longest_odd_texts_are_spoken_in_one_piece(engine: EspeakEngine) -> None:
    """What an engine is given has as a rule 600 characters; it must bear what it says that it takes."""
    before = engine.process_ids
    texts = [text * (LONGEST // len(text)) for _, text in odd_texts(2 * len(KINDS), SEED + 1)]
    jobs = [RenderJob(text, profile_for_language("en-US").to_settings(), FORM, speed=SPEED) for text in texts]
    await asyncio.gather(*map(engine.render, jobs))
    assert engine.process_ids == before


KILLED: dict[str, tuple[str, str, InputType]] = {
    "danish": ("da", "Han sagde: '-a", "text"),
    "danish quotes": ("da", "‘-And ''-a (’-b) `-c", "text"),
    "vietnamese": ("vi", "'-a", "text"),
    "spelled pictographs": ("hi", '<speak><say-as interpret-as="characters">a ☠ 😀</say-as></speak>', "ssml"),
    "dotted letters": ("en-US", "a.b.c." * 100, "text"),
}
"""What killed the engine, by the language of the voice that it killed."""


@pytest.mark.parametrize("name", KILLED)
async def test_what_once_killed_the_engine_is_spoken(engine: EspeakEngine, name: str) -> None:
    language, text, input_type = KILLED[name]
    before = engine.process_ids
    voice = profile_for_language(language).to_settings()
    for piece in pieces_of(text, input_type, language):
        is_markup = input_type == "ssml"
        await engine.render(RenderJob(piece.reading.text, voice, FORM, is_markup=is_markup, has_phonemes=is_markup))
    assert engine.process_ids == before
