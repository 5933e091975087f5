"""Pronunciation dictionaries as files: the W3C's Pronunciation Lexicon Specification, as much of it as is spoken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from services.gateway.domain.failures import InvalidField

_NAMESPACE = "http://www.w3.org/2005/01/pronunciation-lexicon"
_READ = ("grapheme", "alias", "phoneme")


def read_lexicon(content: bytes) -> list[dict[str, Any]]:  # Any: rules in our words
    """Return the rules of a PLS file: one for each grapheme of a lexeme, by its first alias or phoneme.

    Raises InvalidField for what is no such file, and for sounds in another alphabet than IPA.
    """
    reader = _Reader()
    try:
        reader.read(content)
    except expat.ExpatError as error:
        raise InvalidField("file", f"is no XML: line {error.lineno}, {expat.errors.messages[error.code]}") from error
    if not reader.rules:
        raise InvalidField("file", "has no lexeme with a grapheme and an alias or a phoneme")
    return reader.rules


class _Reader:
    """Reads one file. A document type declaration, which could declare entities, ends the reading."""

    def __init__(self) -> None:
        self.rules: list[dict[str, Any]] = []  # Any: rules in our words
        self._text: str | None = None
        self._alphabet = "ipa"
        self._own_alphabet: str | None = None
        self._graphemes: list[str] = []
        self._spoken: tuple[str, str] | None = None

    def read(self, content: bytes) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._take
        parser.Parse(content, True)

    def _refuse(self, *_declaration: object) -> None:
        raise InvalidField("file", "has a document type declaration; leave it out")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        element = name.rpartition(" ")[2]
        if element == "lexicon":
            self._alphabet = attributes.get("alphabet", "ipa")
        elif element == "lexeme":
            self._graphemes, self._spoken = [], None
        elif element in _READ:
            self._text, self._own_alphabet = "", attributes.get("alphabet")

    def _take(self, text: str) -> None:
        if self._text is not None:
            self._text += text

    def _end(self, name: str) -> None:
        element = name.rpartition(" ")[2]
        text = (self._text or "").strip()
        if element == "grapheme" and text:
            self._graphemes.append(text)
        elif element in ("alias", "phoneme") and text and self._spoken is None:
            self._spoken = ("alias", text) if element == "alias" else ("ipa", self._in_ipa(text))
        elif element == "lexeme" and self._spoken is not None:
            kind, replacement = self._spoken
            self.rules += [{"kind": kind, "phrase": one, "replacement": replacement} for one in self._graphemes]
        if element in _READ:
            self._text = None

    def _in_ipa(self, sounds: str) -> str:
        alphabet = self._own_alphabet or self._alphabet
        if alphabet.lower() != "ipa":
            raise InvalidField("file", f"has sounds in the alphabet {alphabet[:40]!r}; only ipa is spoken")
        return sounds


def written_lexicon(rules: Sequence[Mapping[str, Any]], language: str = "en-US") -> str:  # Any: rules in our words
    """Return a PLS file with these rules."""
    lexemes = "".join(
        f"  <lexeme>\n    <grapheme>{escape(rule['phrase'])}</grapheme>\n"
        f"    {_spoken(rule['kind'], rule['replacement'])}\n  </lexeme>\n"
        for rule in rules
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<lexicon version="1.0" xmlns="{_NAMESPACE}" alphabet="ipa" xml:lang={quoteattr(language)}>\n'
        f"{lexemes}</lexicon>\n"
    )


def _spoken(kind: str, replacement: str) -> str:
    element = "alias" if kind == "alias" else "phoneme"
    return f"<{element}>{escape(replacement)}</{element}>"
