"""Texts with times, as an engine would give them, for the tests of cues and of their formats."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate

from hypothesis import strategies as st

from libs.speech.captions.cues import Cue, Limits, Part, cues
from libs.speech.captions.levels import Span, word_times
from libs.speech.captions.words import words

_SENTENCE = re.compile(r"[^.!?。]+[.!?。]*|[.!?。]+")


def sentence_spans(text: str) -> list[Span]:
    return [found.span() for found in _SENTENCE.finditer(text)]


def cues_of(text: str, steps: Sequence[float] | float = 0.065, limits: Limits | None = None) -> list[Cue]:
    """The cues of `text` where each character takes `steps` seconds, the same for all or one for each in turn."""
    lasting = [steps] * len(text) if isinstance(steps, float) else (list(steps) * (len(text) + 1))[: len(text)]
    edges = list(accumulate(lasting, initial=0.0))
    timed = word_times(text, edges[:-1], edges[1:], words(text))
    return list(cues(text, timed, sentence_spans(text), duration_seconds=edges[-1], limits=limits))


def one_cue(text: str, *, start: float = 0.0, end: float = 1.0) -> Cue:
    """A cue of one part with any text, such as `cues` would never make."""
    return Cue(start, end, ((Part(text, start),),))


def plain(text: str) -> str:
    """The text as one line of a subtitle can show it: spaces for control characters."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text).strip()


def without_joiners(text: str) -> str:
    """The text without the invisible characters that defuse commands."""
    return text.replace("\u2060", "")


def read_clock(text: str) -> int:
    """Milliseconds of HH:MM:SS,mmm or HH:MM:SS.mmm."""
    hours, minutes, seconds, millis = map(int, re.split("[:.,]", text))
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis


HOSTILE = ["{\\an8}", "\\N", "-->", "<i>", "</c>", "&amp;", "<00:00:01.000>", "\n\n", "\r", "\0", "1\n", "{", "}", "\\"]
SCRIPTS = ["word", " ", " ", ", ", ". ", "日本語", "かな", "שלום", "ไทย", "👨‍👩‍👧‍👦", "e\u0301", "—", "“", "1,000"]
LONG = ["in the minds of the surrounding families ", "何でも薄暗いじめじめした所で", "wandering, ", "x" * 50]

texts = st.lists(
    st.sampled_from(HOSTILE) | st.sampled_from(SCRIPTS) | st.sampled_from(LONG) | st.text(max_size=5), max_size=60
).map("".join)
steps = st.lists(st.one_of(st.sampled_from([0.0, 0.001, 0.05, 0.1, 0.5]), st.floats(0, 3)), min_size=1, max_size=30)
