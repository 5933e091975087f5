"""When each character is heard, over a corpus in many languages and scripts, held against the engine and a decoder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from itertools import cycle, pairwise

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from libs.speech.encoding import parse_output_format
from libs.speech.espeak import EspeakEngine
from libs.speech.languages import profile_for_language
from libs.speech.spoken_text import readable
from services.generation.domain.requests import InputType
from services.generation.domain.speech import Script
from tests.integration.speech.spoken_pieces import Spoken, speak
from tests.support.stack import ROOT
from tests.support.texts import LANGUAGES, SPECIAL, SSML
from tests.unit.speech.joined_audio import decode

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORMATS = ("mp3", "wav_22050", "opus", "flac_48000", "ulaw", "pcm_24000", "mp3_44100_128", "wav_8000")
CASES: dict[str, tuple[str, str, InputType]] = {
    **{language: (language, text, "text") for language, text in LANGUAGES.items()},
    **{name: (language, text, "text") for name, (language, text) in SPECIAL.items()},
    **{f"ssml {name}": ("ar" if name == "right to left" else "en-US", text, "ssml") for name, text in SSML.items()},
}
FORMAT_OF = dict(zip(CASES, cycle(FORMATS), strict=False))
SEED = 7


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[EspeakEngine]:
    started = EspeakEngine(2)
    await started.start()
    yield started
    await started.close()


class Events:
    """Asks the engine what it says of texts."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def of(self, text: str, language: str, *, goes_on: bool) -> list[tuple[int, int, int]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        voice = profile_for_language(language).engine_voice
        self._process.stdin.write(json.dumps([voice, text, SEED, goes_on]) + "\n")
        self._process.stdin.flush()
        words = json.loads(self._process.stdout.readline())
        return [(place, length, sample) for place, length, sample in words]


@pytest.fixture(scope="module")
def events() -> Iterator[Events]:
    command = (sys.executable, "-m", "tests.integration.speech.engine_events")
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Events(process)
        assert process.stdin is not None
        process.stdin.close()


def check(text: str, spoken: Spoken) -> None:
    assert len(spoken.starts) == len(spoken.ends) == len(text)
    assert all(before <= after for before, after in pairwise(spoken.starts))
    assert all(before <= after for before, after in pairwise(spoken.ends))
    assert all(start <= end for start, end in zip(spoken.starts, spoken.ends, strict=True))
    assert spoken.starts[0] >= 0
    assert spoken.ends[-1] <= spoken.duration


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "chunked"])
@pytest.mark.parametrize("name", CASES)
async def test_every_character_has_its_time_inside_the_audio(engine: EspeakEngine, name: str, chunked: bool) -> None:
    language, text, input_type = CASES[name]
    form = parse_output_format(FORMAT_OF[name])
    spoken = await speak(engine, text, language, form, input_type=input_type, chunked=chunked)
    check(text, spoken)
    decoded = decode(form, spoken.audio)
    seconds = len(decoded.samples) / decoded.rate
    assert seconds == pytest.approx(spoken.duration, abs=0.06), "what is declared is what is played"
    assert spoken.ends[-1] <= seconds + 1e-9
    if name != "no sound":
        assert np.max(np.abs(decoded.samples)) > 0.05
        heard = sum(end > start for start, end in zip(spoken.starts, spoken.ends, strict=True))
        assert heard >= sum(map(str.isalpha, Script(text, input_type, None, language).plain)) // 2


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "chunked"])
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[2] == "text"])
async def test_words_begin_exactly_where_the_engine_begins_them(
    engine: EspeakEngine, events: Events, name: str, chunked: bool
) -> None:
    language, text, _ = CASES[name]
    form = parse_output_format("pcm_22050")
    spoken = await speak(engine, text, language, form, chunked=chunked, seed=SEED)
    bounds = [*(first for first, _ in spoken.pieces), len(text)]
    words = 0
    for (first, offset), last in zip(spoken.pieces, bounds[1:], strict=True):
        furthest = -1
        for place, _, sample in events.of(readable(text[first:last]), language, goes_on=chunked):
            # What is read as several words, such as a number, has all of them at one place: the first one counts.
            if place > furthest:
                furthest = place
                words += 1
                assert spoken.starts[first + place] == pytest.approx(offset + sample / form.sample_rate, abs=1e-6)
    assert name == "no sound" or words >= 5


def onset(samples: NDArray[np.float64], rate: int, after: float) -> float:
    """When it becomes loud after a time, in seconds: to a hundredth of the loudest."""
    window = rate // 400
    first = int(after * rate)
    energy = np.convolve(samples[first:] ** 2, np.ones(window) / window, mode="valid")
    return after + float(np.argmax(energy > np.max(samples**2) / 400)) / rate


SENTENCES = (
    "All of us arrived on Monday. Every room was open then. Only Anna had eaten. Animals are allowed in. "
    "Eleven of them are old. Under every arch is an angel. Apples and oranges are on it. Ask Amy about Iowa. "
    "Evening is early in autumn. Inside it is almost empty. Our uncle is ill again. Each of them is ours."
)


@pytest.mark.parametrize("name", ["mp3", "opus", "flac_44100", "aac", "wav", "mp3_44100_128", "alaw", "pcm_16000"])
async def test_chunks_are_heard_where_their_alignment_says(engine: EspeakEngine, name: str) -> None:
    form = parse_output_format(name)
    spoken = await speak(engine, SENTENCES, "en-US", form, chunked=True)
    assert len(spoken.pieces) >= 3
    decoded = decode(form, spoken.audio)
    for first, _ in spoken.pieces:
        start = spoken.starts[first]
        pause = spoken.ends[first - 1] if first else 0.0
        assert onset(decoded.samples, decoded.rate, max(0.0, min(pause, start) - 0.02)) == pytest.approx(
            start, abs=0.03
        )
