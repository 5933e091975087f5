"""The text of what clients bring: without the tags of HTML, without the times of subtitles. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from html import unescape

_BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption", "figure", "footer", "h1",
    "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table", "td", "th",
    "tr", "ul",
))  # fmt: skip
_SILENT = frozenset(("script", "style", "template", "noscript", "head"))
_TAG_NAME = re.compile(r"<(?P<closing>/?)(?P<name>[A-Za-z][A-Za-z0-9]{0,40})")
_TIMES = re.compile(r"^\s*(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}\s*-->.*$")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>|\{\\[^{}]{0,200}\}")
_BLANKS = re.compile(r"[^\S\n]+")
_EMPTY_LINES = re.compile(r"\n\s*\n\s*")


class TextFormat(StrEnum):
    """In which form a text is brought."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    SUBTITLES = "subtitles"


def read_text(content: str, form: TextFormat) -> str:
    """Return what there is to be found in `content`; offsets count in this.

    Text and Markdown stay as they are; HTML and subtitles (SRT, WebVTT) become plain text with their paragraphs.
    """
    if form is TextFormat.HTML:
        return _tidy(_of_html(content))
    if form is TextFormat.SUBTITLES:
        return _tidy(_of_subtitles(content))
    return content


def _of_html(content: str) -> str:
    """Return the text that people see. Malformed HTML is read as far as it makes sense.

    Each character is looked at a bounded number of times, which the standard library's parser does not promise.
    """
    lowered = content.lower() if len(content.lower()) == len(content) else content
    pieces: list[str] = []
    at = 0
    while (tag := content.find("<", at)) >= 0:
        pieces.append(unescape(content[at:tag]))
        end = content.find("-->", tag) + 2 if content.startswith("<!--", tag) else content.find(">", tag)
        if end < tag:
            at = tag if _TAG_NAME.match(content, tag) is None else len(content)
            break
        name = _TAG_NAME.match(content, tag)
        at = end + 1
        if name is None and content[tag + 1] not in "!?/":
            pieces.append("<")  # a mere sign
            at = tag + 1
        elif name is not None and name["name"].lower() in _BLOCKS:
            pieces.append("\n")
        elif name is not None and name["name"].lower() in _SILENT and not name["closing"]:
            at = lowered.find(f"</{name['name'].lower()}", at)
            if at < 0:
                return "".join(pieces)
    pieces.append(unescape(content[at:]))
    return "".join(pieces)


def _of_subtitles(content: str) -> str:
    """Return the cues' texts; what stands before a cue's times is its number or name, or the file's header."""
    spoken: list[str] = []
    in_cue = False
    for line in content.splitlines():
        if _TIMES.match(line):
            in_cue = True
        elif not line.strip():
            in_cue = False
            spoken.append("")
        elif in_cue:
            spoken.append(_TAG.sub("", line))
    return "\n".join(spoken)


def _tidy(text: str) -> str:
    return _EMPTY_LINES.sub("\n\n", _BLANKS.sub(" ", text)).strip()
