"""From a document to its markup, or to everything that is wrong with it. Pure.

expat finds no entities here but the five of XML: a document type declaration, which could declare others, ends the
reading. It gives positions in bytes of UTF-8; they are counted into code points as the reading goes on, so that the
whole takes time in proportion to the document.
"""

from __future__ import annotations

import re
from array import array
from typing import Final, NamedTuple
from xml.parsers import expat

from libs.speech.text.ssml.elements import ELEMENTS, STYLES, Rule
from libs.speech.text.ssml.errors import Problem, SsmlError, problem_at
from libs.speech.text.ssml.markup import Change, Element, Markup, Point

DEEPEST: Final = 32
"""How many elements may lie in one another."""

DEEPEST_STYLES: Final = 10
"""How many of them may change the speech; eSpeak NG has room for 20, two of which one element may take."""

MOST_ELEMENTS: Final = 10_000
MOST_PROBLEMS: Final = 100

_ATTRIBUTE = re.compile(r"""\s+([^\s=<>/]+)\s*=\s*(?:"[^"]*"|'[^']*')""")
_TAG = re.compile(r"<[^\s/>]+")
_IN_FORCE = STYLES | {"sub", "phoneme"}
_LONGEST_NAME = 60
_UNFINISHED = re.compile(r"[&<][^\s;&<>]*\Z")
_ENTITY = re.compile(r"&[^\s;&<]{0,40};?")
_ALLOWED = ", ".join(name for name in ELEMENTS if name != "speak")


class _Open(NamedTuple):
    """An element that is being read: where it begins in the source and in the text, and what is in force in it."""

    name: str
    content: str
    here: int
    pieces: int
    element: Element | None


class _Stop(Exception):
    """Enough is known to refuse the document."""


def parse_ssml(source: str) -> Markup:
    """Return the markup of a document: one `<speak>` element. Raises SsmlError with all the problems found."""
    for position, character in enumerate(source) if not source.isascii() else ():
        if "\ud800" <= character <= "\udfff":
            raise SsmlError([problem_at(source, position, "half of a surrogate pair is no character: leave it out")])
    reader = _Reader(source)
    reader.read()
    if reader.problems:
        raise SsmlError(sorted(reader.problems, key=lambda problem: problem.position))
    return Markup("".join(reader.plain), reader.origins, reader.points, reader.changes, reader.language)


class _Reader:
    """One reading of one document."""

    def __init__(self, source: str) -> None:
        self.problems: list[Problem] = []
        self.plain: list[str] = []
        self.origins = array("i")
        self.points: list[Point] = []
        self.changes: list[Change] = []
        self.language: str | None = None
        self._source = source
        self._bytes = source.encode()
        self._ascii = source.isascii()
        self._counted = (0, 0)  # bytes, and how many code points they are
        self._open: list[_Open] = []
        self._elements = 0
        self._parser = expat.ParserCreate("utf-8")
        self._parser.ordered_attributes = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._declaration
        self._parser.ProcessingInstructionHandler = self._instruction

    def read(self) -> None:
        try:
            self._parser.Parse(self._bytes, True)
        except _Stop:
            return
        except expat.ExpatError as error:
            self._malformed(error)
        finally:
            self._parser.StartElementHandler = self._parser.EndElementHandler = None  # they hold this object
            self._parser.CharacterDataHandler = self._parser.StartDoctypeDeclHandler = None
            self._parser.ProcessingInstructionHandler = None

    def _here(self) -> int:
        """The code point at which what is being read begins."""
        return self._code_point(self._parser.CurrentByteIndex)

    def _code_point(self, index: int) -> int:
        if self._ascii:
            return index
        before, count = self._counted
        if index < before:
            return len(self._bytes[:index].decode(errors="ignore"))
        count += len(self._bytes[before:index].decode(errors="ignore"))
        self._counted = (index, count)
        return count

    def _report(self, position: int, message: str) -> None:
        self.problems.append(problem_at(self._source, position, message))
        if len(self.problems) >= MOST_PROBLEMS:
            raise _Stop

    def _stop(self, message: str) -> None:
        self._report(self._here(), message)
        raise _Stop

    def _text(self, data: str) -> None:
        here = self._here()
        if self._open and self._open[-1].content == "none" and data.strip():
            self._report(here, f"<{self._open[-1].name}> holds no text: write <{self._open[-1].name}/>")
        self.plain.append(data)
        self.origins.extend(range(here, here + len(data)))

    def _declaration(self, *_declared: object) -> None:
        position = max(self._source.rfind("<!DOCTYPE", 0, self._here()), 0)
        self._report(position, "a document type declaration is not allowed: leave it out")
        raise _Stop

    def _instruction(self, *_instruction: object) -> None:
        self._report(self._here(), "a processing instruction is not allowed: leave it out")

    def _start(self, name: str, attributes: list[str]) -> None:
        here = self._here()
        self._elements += 1
        if self._elements > MOST_ELEMENTS:
            self._stop(f"there are more than {MOST_ELEMENTS:,} elements: split the document")
        if len(self._open) >= DEEPEST:
            self._stop(f"elements lie in one another more than {DEEPEST} deep: take some out")
        self._check_place(name, here)
        rule = ELEMENTS.get(name)
        checked = self._checked(name, rule, attributes, here) if rule else {}
        around = self._open[-1].element if self._open else None
        at = len(self.origins)
        element = self._entered(name, checked, at, around)
        self._open.append(_Open(name, rule.content if rule else "any", here, len(self.plain), element))

    def _entered(self, name: str, checked: dict[str, str], at: int, around: Element | None) -> Element | None:
        """The innermost element in what begins here, whose points and changes are noted."""
        if name in ("break", "mark", "p", "s"):
            self.points.append(Point(at, name, checked))
        if name == "speak":
            self.language = checked.get("xml:lang")
        if name in ("p", "s", "lang") and "xml:lang" in checked:
            name = "voice"
        if name not in _IN_FORCE:
            return around
        element = Element(name, checked, at, around)
        self.changes.append(Change(at, element))
        if len(element.path()) == DEEPEST_STYLES + 1:
            self._report(
                self._here(), f"elements that change the speech lie in one another more than {DEEPEST_STYLES} deep"
            )
        return element

    def _end(self, name: str) -> None:
        closed = self._open.pop()
        at = len(self.origins)
        if closed.content == "text" and not "".join(self.plain[closed.pieces :]).strip():
            self._report(closed.here, f"<{name}> holds the text that it speaks about: write some in it")
        if name in ("p", "s"):
            self.points.append(Point(at, name, {}))
        around = self._open[-1].element if self._open else None
        if around is not closed.element:
            self.changes.append(Change(at, around))

    def _check_place(self, name: str, here: int) -> None:
        """Report an element that does not belong where it is."""
        shown = _shortened(name)
        if not self._open:
            if name != "speak":
                self._report(here, f"<{shown}> is not <speak>: put the document into one <speak> element")
            return
        outer = self._open[-1]
        if name not in ELEMENTS or name == "speak":
            self._report(here, f"<{shown}> is not allowed here: the elements are {_ALLOWED}")
        elif outer.content != "any":
            held = "text alone" if outer.content == "text" else "nothing"
            self._report(here, f"<{outer.name}> holds {held}, no <{shown}>")

    def _checked(self, name: str, rule: Rule, attributes: list[str], here: int) -> dict[str, str]:
        """The engine's values of the attributes."""
        checked: dict[str, str] = {}
        for attribute, value in zip(attributes[::2], attributes[1::2], strict=True):
            check = rule.attributes.get(attribute)
            if check is None:
                allowed = ", ".join(rule.attributes)
                self._report(
                    self._attribute(here, attribute), f"<{name}> has no {_shortened(attribute)}, but {allowed}"
                )
                continue
            try:
                checked[attribute] = check(value)
            except ValueError as error:
                self._report(self._attribute(here, attribute), f"{attribute} of <{name}> {error}")
        named = attributes[::2]
        for needed in rule.required:
            if needed not in named:
                self._report(here, f"<{name}> needs {needed}")
        if rule.any_of and not named:
            self._report(here, f"<{name}> needs one of {', '.join(rule.any_of)}")
        return checked

    def _attribute(self, here: int, name: str) -> int:
        """Where in the source the attribute of the element that begins `here` is."""
        opening = _TAG.match(self._source, here)
        position = opening.end() if opening else here
        while found := _ATTRIBUTE.match(self._source, position):
            if found[1] == name:
                return found.start(1)
            position = found.end()
        return here

    def _malformed(self, error: expat.ExpatError) -> None:
        position = self._code_point(max(self._parser.ErrorByteIndex, 0))
        if unfinished := _UNFINISHED.search(self._source, max(0, position - _LONGEST_NAME), position):
            position = unfinished.start()
        self.problems.append(problem_at(self._source, position, self._explained(error.code, position)))

    def _explained(self, code: int, position: int) -> str:
        """What is wrong in words that say what to do."""
        reason = expat.errors.messages[code]
        innermost = _shortened(self._open[-1].name) if self._open else ""
        entity = _ENTITY.match(self._source, position)
        if reason == expat.errors.XML_ERROR_TAG_MISMATCH:
            return f"this end tag is not that of <{innermost}>, which is still open: write </{innermost}> before it"
        if reason == expat.errors.XML_ERROR_UNDEFINED_ENTITY and entity:
            return f"{entity[0]} is unknown: there are &amp; &lt; &gt; &quot; &apos; and numbers such as &#160;"
        if not self._elements:
            return "the document begins with <speak>"
        if reason == expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT:
            return "the document ends with </speak>"
        if position >= len(self._source):
            return f"the document ends before </{innermost}>"
        return 'this is not well-formed: write a bare & as &amp; and a bare < as &lt;, and attributes as name="value"'


def _shortened(name: str) -> str:
    """A client's name as a message repeats it."""
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
