"""What the real engine makes of the markup: every element is heard, and its words are found in the plain text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest

from libs.speech.alignment import Phoneme, Word, align
from libs.speech.text.ipa import to_mnemonics
from libs.speech.text.reading import NOTHING
from libs.speech.text.ssml import parse_ssml, plain_positions
from tests.integration.speech.ssml_engine import FLAGS

RATE = 22050
END_PAUSE = 0x1000
ENGLISH = "gmw/en-US"
SENTENCE = "The quick brown fox jumps over the lazy dog, and nobody minds. Are you sure about it, my dear old friend?"


@dataclass(frozen=True)
class Spoken:
    """What the engine said of one text."""

    words: list[Word]
    phonemes: list[Phoneme]
    samples: int
    loudness: float
    pitch: float
    spread: float

    @property
    def seconds(self) -> float:
        return self.samples / RATE


Speak = Callable[..., Spoken]


@pytest.fixture(scope="module")
def speak() -> Iterator[Speak]:
    command = [sys.executable, "-m", "tests.integration.speech.ssml_engine"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as engine:
        assert engine.stdin
        assert engine.stdout

        def ask(text: str, voice: str = ENGLISH, flags: int = FLAGS) -> Spoken:
            assert engine.stdin
            assert engine.stdout
            engine.stdin.write(json.dumps([voice, text, flags]).encode() + b"\n")
            engine.stdin.flush()
            answer = json.loads(engine.stdout.readline())
            answer["words"] = [Word(*word) for word in answer["words"]]
            answer["phonemes"] = [Phoneme(*phoneme) for phoneme in answer["phonemes"]]
            return Spoken(**answer)

        yield ask
        engine.stdin.close()


def said(speak: Speak, inside: str, voice: str = ENGLISH) -> Spoken:
    """What is heard of a document, by way of its rendering."""
    markup = parse_ssml(f"<speak>{inside}</speak>")
    return speak(markup.render(0, len(markup.plain), phonemes=lambda ipa: to_mnemonics(ipa, "en-US")).text, voice)


@pytest.mark.parametrize("milliseconds", [200, 1000, 5000, 10_000])
def test_a_break_takes_its_time(speak: Speak, milliseconds: int) -> None:
    plain = said(speak, "hello world").seconds
    paused = said(speak, f'hello <break time="{milliseconds}ms"/>world').seconds
    assert paused - plain == pytest.approx(milliseconds / 1000, abs=0.1)


def test_stronger_breaks_are_longer(speak: Speak) -> None:
    strengths = ("none", "medium", "strong", "x-strong")
    seconds = [said(speak, f'hello <break strength="{strength}"/>world').seconds for strength in strengths]
    assert all(before + 0.05 < after for before, after in pairwise(seconds))


@pytest.mark.parametrize(("rate", "factor"), [("0.5", 0.5), ("75%", 0.75), ("+50%", 1.5), ("2", 2), ("4", 4)])
def test_rates_are_those_asked_for(speak: Speak, rate: str, factor: float) -> None:
    plain, changed = speak(SENTENCE), said(speak, f'<prosody rate="{rate}">{SENTENCE}</prosody>')
    assert plain.seconds / changed.seconds == pytest.approx(factor, rel=0.12)


@pytest.mark.parametrize("voice", [ENGLISH, "gmw/de", "roa/fr"])
@pytest.mark.parametrize(
    ("pitch", "factor"),
    [("-3st", 2 ** (-3 / 12)), ("-10%", 0.9), ("+2st", 2 ** (2 / 12)), ("125%", 1.25), ("+9st", 2 ** (9 / 12))],
)
def test_pitches_are_those_asked_for(speak: Speak, voice: str, pitch: str, factor: float) -> None:
    plain, changed = speak(SENTENCE, voice), said(speak, f'<prosody pitch="{pitch}">{SENTENCE}</prosody>', voice)
    assert changed.pitch / plain.pitch == pytest.approx(factor, rel=0.06)


@pytest.mark.parametrize(("volume", "factor"), [("-6dB", 0.5), ("50%", 0.5), ("+3dB", 1.41), ("-20dB", 0.1)])
def test_volumes_are_those_asked_for(speak: Speak, volume: str, factor: float) -> None:
    plain, changed = speak(SENTENCE), said(speak, f'<prosody volume="{volume}">{SENTENCE}</prosody>')
    assert changed.loudness / plain.loudness == pytest.approx(factor, rel=0.25)


@pytest.mark.parametrize("ending", [". ", ".", ".\n", ".  ", '." ', "! ", "? ", "... ", ", ", "。"])
def test_prosody_holds_from_the_first_to_the_last_word_of_a_sentence(speak: Speak, ending: str) -> None:
    """The engine by itself leaves out what begins or ends right after a full stop and a blank."""
    before, inside, after = f"Hello there{ending}", f"The lazy dog is asleep{ending}", "Bye to you"
    plain = said(speak, before + inside + after)
    slowed = said(speak, f'{before}<prosody rate="0.5">{inside}</prosody>{after}')
    starts = {word.position: word.sample for word in plain.words}
    changed = {
        origin: word.sample
        for word, origin in zip(slowed.words, [0, 6, *(len(before) + at for at in (0, 4, 9, 13, 16))], strict=False)
    }
    first, last = len(before) + 4, len(before) + 16
    assert (changed[last] - changed[first]) / (starts[last] - starts[first]) == pytest.approx(2, rel=0.3)
    ends = [spoken.samples - spoken.words[-3].sample for spoken in (plain, slowed)]
    assert ends[1] == pytest.approx(ends[0], rel=0.1)


def test_words_for_prosody_are_heard(speak: Speak) -> None:
    def prosody(attribute: str, word: str) -> Spoken:
        return said(speak, f'<prosody {attribute}="{word}">{SENTENCE}</prosody>')

    rates = [prosody("rate", word).seconds for word in ("x-slow", "slow", "medium", "fast", "x-fast")]
    assert all(before > after * 1.1 for before, after in pairwise(rates))
    pitches = [prosody("pitch", word).pitch for word in ("x-low", "low", "medium", "high", "x-high")]
    assert all(before * 1.02 < after for before, after in pairwise(pitches))
    volumes = [prosody("volume", word).loudness for word in ("silent", "x-soft", "soft", "medium", "loud")]
    assert volumes[0] == 0
    assert all(before * 1.2 <= after for before, after in pairwise(volumes))
    ranges = [prosody("range", word).spread for word in ("x-low", "low", "medium", "high")]
    assert all(before < after for before, after in pairwise(ranges))


def test_voices_and_languages_are_heard(speak: Speak) -> None:
    plain = speak(SENTENCE)
    assert said(speak, f'<voice gender="female">{SENTENCE}</voice>').pitch > plain.pitch * 1.5
    german = speak("Schöne Garage, gute Nacht", "gmw/de").seconds
    for element in ("lang", "voice", "p", "s"):
        heard = said(speak, f'<{element} xml:lang="de-AT">Schöne Garage, gute Nacht</{element}>').seconds
        assert heard == pytest.approx(german, abs=0.05)
    assert said(speak, "Schöne Garage, gute Nacht").seconds != pytest.approx(german, abs=0.05)


def test_emphasis_is_heard(speak: Speak) -> None:
    plain = speak(SENTENCE)
    assert said(speak, f'<emphasis level="strong">{SENTENCE}</emphasis>').loudness > plain.loudness * 1.1
    assert said(speak, f'<emphasis level="reduced">{SENTENCE}</emphasis>').loudness < plain.loudness * 0.9
    assert said(speak, f"<emphasis>{SENTENCE}</emphasis>").seconds > plain.seconds * 1.02


def test_aliases_spelling_and_pronunciations_are_heard(speak: Speak) -> None:
    alias = said(speak, 'the <sub alias="World Wide Web">WWW</sub>')
    assert alias.samples == pytest.approx(speak("the World Wide Web").samples, rel=0.02)
    assert said(speak, '<say-as interpret-as="characters">hello</say-as>').seconds > speak("hello").seconds * 1.5
    digits = said(speak, '<say-as interpret-as="digits">123</say-as>')
    assert digits.seconds == pytest.approx(speak("1 2 3").seconds, rel=0.2)
    pronounced = said(speak, '<phoneme alphabet="ipa" ph="ˈsiːkwəl">x</phoneme>')
    assert pronounced.seconds == pytest.approx(speak("[[s'i:kw@l]]").seconds, rel=0.1)
    assert said(speak, "[[s'i:kw@l]]").seconds > speak("[[s'i:kw@l]]").seconds * 1.5


def test_sentences_and_paragraphs_end_with_a_pause(speak: Speak) -> None:
    run_on = said(speak, "hello there good bye").seconds
    assert said(speak, "<p>hello there</p> <p>good bye</p>").seconds > run_on + 0.3
    assert said(speak, "<s>hello there</s><s>good bye</s>").seconds > run_on + 0.3


def test_parts_last_as_long_as_the_whole(speak: Speak) -> None:
    inside = (
        '<p>Hello there. <prosody rate="1.3">Good bye now.</prosody></p> <p>What a day.<break time="700ms"/> '
        "<emphasis>So be it.</emphasis> And on it goes.</p>"
    )
    markup = parse_ssml(f"<speak>{inside}</speak>")
    ends = [index + 1 for index, character in enumerate(markup.plain) if character == "."]
    parts = [
        speak(markup.render(start, end).text, flags=FLAGS | (END_PAUSE if end < len(markup.plain) else 0)).seconds
        for start, end in pairwise([0, *ends])
    ]
    assert sum(parts) == pytest.approx(said(speak, inside).seconds, abs=0.25)


LETTERS = re.compile(r"[^\W_]+(?:[\u0300-\u036f]\w*)*|&|😀")
ENGLISH_CORPUS = {
    "marks": 'one two. <mark name="x"/>Three four, <mark name="y"/>five six.<mark name="z"/> Seven',
    "letters": 'one two. <mark name="x"/>A dog. <emphasis>😀 I &amp; you.</emphasis> &amp; so.',
    "prosody": 'one two. <prosody rate="1.2">Three four.</prosody> Five <prosody pitch="-2st">six</prosody> end',
    "emphasis": "<emphasis>One two.</emphasis> Three <emphasis level='strong'>four.</emphasis> Five six.",
    "breaks": '<break time="300ms"/>one <break/>two. <break time="1s"/>Three four<break strength="none"/> five',
    "voices": '1 two. <voice gender="female">Three four!</voice> Five <lang xml:lang="de">sechs sieben</lang> end',
    "paragraphs": "<p><s>One two.</s> <s>Three four</s></p>\n\n<p>Five six.</p><p>Seven</p>",
    "say-as": 'one two. <say-as interpret-as="characters">abc</say-as> three. Four',
    "sub": 'one <sub alias="World Wide Web">WWW</sub> two. <sub alias="Doctor">Dr</sub> Three',
    "references": "Rock &amp; roll five &lt; seven. <emphasis>Big &amp; so</emphasis> &#x41;nd &quot;so&quot; on",
    "emoji": "Hi 😀 there. <emphasis>Be 👩‍👧 well</emphasis>, 😀 bye",
    "chinese": "one 你好 two. <emphasis>好</emphasis> three",
    "combining": "e\u0301te\u0301. <emphasis>n\u0303andu</emphasis> and so",
}
CORPUS = {name: (inside, ENGLISH) for name, inside in ENGLISH_CORPUS.items()} | {
    "mandarin": ('今天天气很好。<mark name="x"/>我们去<emphasis>公园</emphasis>吧。&amp;今<break/>天', "sit/cmn"),
    "russian": ('Привет, <prosody rate="fast">мир!</prosody> Сегодня <break/>хорошая погода.', "zle/ru"),
    "arabic": ("مرحبا <emphasis>بالعالم</emphasis>، كيف <break/>حالك؟", "sem/ar"),
    "hindi": ("नमस्ते <emphasis>दुनिया</emphasis>। आज <break/>मौसम अच्छा है।", "inc/hi"),
}  # fmt: skip


@pytest.mark.parametrize("name", CORPUS)
def test_words_are_found_in_the_plain_text(speak: Speak, name: str) -> None:
    inside, voice = CORPUS[name]
    markup = parse_ssml(f"<speak>{inside}</speak>")
    reading = markup.render(0, len(markup.plain))
    heard = speak(reading.text, voice)
    placed = plain_positions(heard.words, reading)
    assert len(placed) == len(heard.words)
    assert [word.sample for word in placed] == sorted(word.sample for word in placed)
    if voice == ENGLISH:
        assert {word.position for word in placed} >= {match.start() for match in LETTERS.finditer(markup.plain)}
    starts, ends = align(
        markup.plain, placed, heard.phonemes, total_samples=heard.samples, duration_seconds=heard.seconds
    )
    assert starts == sorted(starts)
    assert ends == sorted(ends)
    assert ends[-1] <= heard.seconds


@pytest.mark.parametrize("name", CORPUS)
def test_words_are_found_when_chunks_are_spoken_alone(speak: Speak, name: str) -> None:
    inside, voice = CORPUS[name]
    markup = parse_ssml(f"<speak>{inside}</speak>")
    middle = len(markup.plain) // 2
    for start, end in ((0, middle), (middle, len(markup.plain))):
        reading = markup.render(start, end)
        placed = plain_positions(speak(reading.text, voice).words, reading)
        assert placed
        assert all(start <= word.position < word.position + word.length <= end for word in placed)
        assert any(origin != NOTHING for origin in reading.origins)


def test_markup_words_come_when_plain_words_do(speak: Speak) -> None:
    """Where the markup changes no time, each word starts within a few milliseconds of where it does without markup."""
    inside = 'One two. <mark name="x"/>Three four. <prosody volume="-6dB">A dog</prosody> &amp; a cat.'
    markup = parse_ssml(f"<speak>{inside}</speak>")
    reading = markup.render(0, len(markup.plain))
    marked = {word.position: word.sample for word in plain_positions(speak(reading.text).words, reading)}
    for word in speak(markup.plain, flags=1).words:
        assert marked[word.position] == pytest.approx(word.sample, abs=RATE * 0.05)


HARMFUL = {
    "dots": "a.b.c." * 300,
    "dots and marks": ("a.b.c." * 6 + "<mark name='m'/>") * 100,
    "dots and styles": ("a.b.c." * 6 + "<emphasis>a.b.c.</emphasis>") * 100,
    "dots in aliases": f'<sub alias="{"a.b.c." * 6}">x</sub><mark name="m"/>' * 100,
    "long phonemes": f'<phoneme ph="{"ə" * 490}">x</phoneme>' * 5,
    "stressed phonemes": f'<phoneme ph="{"ˈaˌ" * 160}">x</phoneme>' * 5,
    "brackets": "[[" + "@" * 490 + "]]",
    "nested": ('<prosody rate="2">' * 10 + "x" + "</prosody>" * 10) * 300,
    "voices": ('<voice gender="female">a</voice> <voice xml:lang="cmn">你</voice> ') * 300,
    "breaks": '<break time="0ms"/>' * 5000 + "x",
    "spelled": f'<say-as interpret-as="characters">{"x." * 2000}</say-as>',
}


@pytest.mark.parametrize("name", HARMFUL)
def test_the_engine_survives(speak: Speak, name: str) -> None:
    assert said(speak, HARMFUL[name]).samples > 0
    assert speak("hello").samples > 0
