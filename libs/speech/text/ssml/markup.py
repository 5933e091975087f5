"""A document that was accepted: the text in it, and any part of it as an engine is given it to read. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import NamedTuple

from libs.speech.spoken_text import readable, spellable
from libs.speech.text.reading import NOTHING, Reading, spread

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ENDS = frozenset(".!?…")
_CLOSING = frozenset("\"'”’»)]")
_LOOK_AHEAD = 40
_GROUP = re.compile(r"\S.{0,98}(?!\S)|\S{1,99}")
"""As many phonemes as are written in one pair of brackets; eSpeak NG 1.52 died of 200 and more in tests."""
_BOUNDARIES = ("s", "p")
"""What an end of a sentence and one of a paragraph are, the lesser first."""


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """An element that changes how the plain characters from `start` are spoken, and the one that it lies in."""

    name: str
    attributes: Mapping[str, str]
    start: int
    parent: Element | None

    def path(self) -> list[Element]:
        """This element and those around it, the outermost first."""
        around = self.parent.path() if self.parent else []
        return [*around, self]


class Point(NamedTuple):
    """Something between two plain characters: a break, a mark, or an edge of a paragraph or of a sentence."""

    at: int
    name: str
    attributes: Mapping[str, str]


class Change(NamedTuple):
    """From the plain character `at` on, the innermost element is this one."""

    at: int
    element: Element | None


class Mark(NamedTuple):
    """The mark `name` stands before the plain character `at`."""

    name: str
    at: int


class Markup:
    """The spoken text of a document, and its parts with the markup that is in force there.

    `plain` is the text without markup, in which a sub shows its own text. `origins` has the code point of the source
    for each plain character; for a character reference that of its `&`. `language` is the tag that the
    document gives for itself; it changes no voice, as the client has asked for one.
    """

    def __init__(
        self,
        plain: str,
        origins: Sequence[int],
        points: Sequence[Point],
        changes: Sequence[Change],
        language: str | None = None,
    ) -> None:
        self.plain = plain
        self.origins = origins
        self.language = language
        self._points = points
        self._changes = changes
        self._point_indices = [point.at for point in points]
        self._change_indices = [change.at for change in changes]

    @property
    def marks(self) -> list[Mark]:
        """All marks, in the order of the text."""
        return [Mark(point.attributes["name"], point.at) for point in self._points if point.name == "mark"]

    def wholes(self) -> list[tuple[int, int]]:
        """Return start and end of each run of plain characters that should not be divided: subs and phonemes."""
        ends = [*self._change_indices[1:], len(self.plain)]
        return [
            (change.at, end)
            for change, end in zip(self._changes, ends, strict=False)
            if change.element and change.element.name in ("sub", "phoneme")
        ]

    def render(
        self,
        start: int,
        end: int,
        respell: Callable[[str], Reading] | None = None,
        phonemes: Callable[[str], str] | None = None,
    ) -> Reading:
        """Return what the engine is to read for the plain characters `start` to before `end`, with plain origins.

        Consecutive spans have every break and every mark once: one at a border is in the span before it, one before
        the first character in the first. `respell` reads a run of text without markup (it may write the engine's
        phonemes in double brackets; nothing else can). `phonemes` turns the IPA of a phoneme element into the engine's
        notation; without it the element's own text is spoken. A sub or a phoneme that a border divides is spoken whole
        in the span of its first character.
        """
        if not 0 <= start <= end <= len(self.plain):
            raise ValueError(f"the text has {len(self.plain)} characters, no span from {start} to {end}")
        writer = _Writer(self._safe(start, end), start, respell, phonemes)
        points = self._points_of(start, end)
        index = next(points, None)
        for begin, stop, element in self._runs(start, end):
            writer.leave(element, begin)
            while index and index.at <= begin:
                writer.point(index, begin)
                index = next(points, None)
            writer.run(begin, stop, element)
        return writer.finish(index, points, last=end == len(self.plain))

    def _safe(self, start: int, end: int) -> str:
        """The span without what an engine would take for a command, also where markup divides it."""
        return readable(self.plain[start:end]).replace("[[", "[ ")

    def _points_of(self, start: int, end: int) -> Iterator[Point]:
        first = bisect_right(self._point_indices, start) if start else 0
        return iter(self._points[first : bisect_right(self._point_indices, end)])

    def _runs(self, start: int, end: int) -> Iterator[tuple[int, int, Element | None]]:
        """The span in pieces with one innermost element each, cut at every point."""
        cuts = {start, end}
        first, last = bisect_right(self._change_indices, start), bisect_left(self._change_indices, end)
        cuts.update(self._change_indices[first:last])
        first, last = bisect_right(self._point_indices, start), bisect_left(self._point_indices, end)
        cuts.update(self._point_indices[first:last])
        edges = sorted(cuts)
        for begin, stop in pairwise(edges):
            change = bisect_right(self._change_indices, begin) - 1
            yield begin, stop, self._changes[change].element if change >= 0 else None


class _Sentence(Enum):
    """What the text written last, without tags, is."""

    GOES_ON = 0
    ENDED = 1
    ENDED_WITH_BLANK = 2


class _Writer:
    """Writes one span."""

    def __init__(
        self,
        text: str,
        start: int,
        respell: Callable[[str], Reading] | None,
        phonemes: Callable[[str], str] | None,
    ) -> None:
        self._text = text
        self._start = start
        self._respell = respell
        self._phonemes = phonemes
        self._written: list[str] = []
        self._places: list[int] = []  # of what is spoken among what is written
        self._origins: list[int] = []
        self._open: list[Element] = []
        self._sentence = _Sentence.GOES_ON
        self._pending = -1  # the boundary that the next text or break begins with
        self._bounded = len(_BOUNDARIES)  # the greatest since the last text; none is needed before the first

    def leave(self, element: Element | None, at: int | None = None) -> None:
        """Close what `element`, which is in force from the plain character `at` on, does not lie in."""
        wanted = [each for each in element.path() if _wraps(each)] if element else []
        kept = 0
        while kept < min(len(wanted), len(self._open)) and wanted[kept] is self._open[kept]:
            kept += 1
        while len(self._open) > kept:
            self._tag(f"</{self._open.pop().name}>", at)

    def point(self, point: Point, at: int | None = None) -> None:
        if point.name in _BOUNDARIES:
            self._pending = max(self._pending, _BOUNDARIES.index(point.name))
            return
        if point.name == "break":
            self._boundary()
        self._tag(f"<{point.name}{_attributes(point.attributes)}/>", at)

    def run(self, begin: int, stop: int, element: Element | None) -> None:
        """Write the plain characters `begin` to before `stop`, which lie in `element`."""
        text = self._text[begin - self._start : stop - self._start]
        if text.strip():
            self._boundary()
            self._bounded = -1
        for each in element.path() if element else ():
            if _wraps(each) and each not in self._open:
                self._open.append(each)
                self._tag(f"<{each.name}{_attributes(each.attributes)}>", begin)
        if element is not None and element.name == "sub":
            self._instead(element, begin, stop, readable(element.attributes["alias"]).replace("[", " "))
        elif element is not None and element.name == "phoneme" and self._phonemes is not None:
            self._pronounced(element, begin, stop, self._phonemes(element.attributes["ph"]))
        else:
            as_it_is = element is not None and element.name in ("say-as", "phoneme")
            if element is not None and element.name == "say-as":
                text = spellable(text)
            self._plain(begin, text, None if as_it_is else self._respell)

    def finish(self, point: Point | None, rest: Iterator[Point], *, last: bool) -> Reading:
        self.leave(None)
        while point is not None:
            self.point(point)
            point = next(rest, None)
        if not last:
            self._boundary()
        self._blank_harm()
        return Reading("".join(self._written), self._origins)

    def _blank_harm(self) -> None:
        """Blank what harms the engine only as a whole: it runs on through tags, and from alias to alias."""
        spoken = "".join(self._written[place][0] for place in self._places)
        for place, character, harmless in zip(self._places, spoken, readable(spoken), strict=True):
            if character != harmless:
                self._written[place] = harmless

    def _plain(self, begin: int, text: str, respell: Callable[[str], Reading] | None) -> None:
        reading = respell(text) if respell else Reading.plain(text)
        for character, origin in zip(readable(reading.text), reading.origins, strict=True):
            self._put(_ESCAPES.get(character, character), NOTHING if origin == NOTHING else begin + origin)

    def _instead(self, element: Element, begin: int, stop: int, text: str) -> None:
        """Write `text` for the whole element, if it begins here."""
        if begin == element.start:
            for character, origin in zip(text, spread(len(text), begin, stop), strict=True):
                self._put(_ESCAPES.get(character, character), origin)

    def _pronounced(self, element: Element, begin: int, stop: int, notation: str) -> None:
        if begin != element.start:
            return
        origins = spread(len(notation), begin, stop)
        for group in _GROUP.finditer(notation):
            self._markup(" [[" if self._written and self._written[-1][-1:] in "[]" else "[[")
            for place in range(*group.span()):
                self._put(_ESCAPES.get(notation[place], notation[place]), origins[place])
            self._markup("]]")

    def _boundary(self) -> None:
        if self._pending > self._bounded:
            self._bounded = self._pending
            self._markup(f"<{_BOUNDARIES[self._pending]}/>")
        self._pending = -1

    def _tag(self, tag: str, at: int | None) -> None:
        """Write a tag before the plain character `at`, or at the end.

        eSpeak NG 1.52 takes "there. <prosody>" for a dot inside a sentence: it leaves the tag out, gives the next word
        a wrong position, and before a voice it leaves out the pause too. A blank and one written as a reference between
        the dot and the tag end the sentence as without a tag. It goes on where a small letter follows.
        """
        after = "" if at is None else self._text[at - self._start : at - self._start + _LOOK_AHEAD]
        goes_on = after.lstrip()[:1].islower() or after[:1].isdigit() or (at is None and not tag.startswith("<break"))
        if self._sentence == _Sentence.ENDED_WITH_BLANK and not after.lstrip()[:1].islower():
            self._markup("&#32;")
        elif self._sentence == _Sentence.ENDED and not goes_on:
            self._markup(" &#32;")
        self._markup(tag)

    def _markup(self, markup: str) -> None:
        self._sentence = _Sentence.GOES_ON
        self._written.append(markup)
        self._origins += [NOTHING] * len(markup)

    def _put(self, written: str, origin: int) -> None:
        if written in _ENDS:
            self._sentence = _Sentence.ENDED
        elif self._sentence != _Sentence.GOES_ON and written not in _CLOSING:
            blank = written.isspace() and written != "\n"
            self._sentence = _Sentence.ENDED_WITH_BLANK if blank else _Sentence.GOES_ON
        self._places.append(len(self._written))
        self._written.append(written)
        self._origins += [origin] * len(written)


def _wraps(element: Element) -> bool:
    return element.name not in ("sub", "phoneme")


def _attributes(attributes: Mapping[str, str]) -> str:
    """Values are words, numbers and names that need no escapes: the rules of the elements see to that."""
    return "".join(f' {name}="{value}"' for name, value in attributes.items())
