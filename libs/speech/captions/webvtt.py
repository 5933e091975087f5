"""WebVTT (https://www.w3.org/TR/webvtt1/), with a time at each word for players that mark what is being said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from libs.speech.captions.cues import Cue, Part
from libs.speech.captions.escaping import clock, milliseconds, one_line

CONTENT_TYPE = "text/vtt; charset=utf-8"

_ENTITIES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


def iter_webvtt(cues: Iterable[Cue], *, words: bool = True) -> Iterator[str]:
    """Yield the WebVTT file cue by cue, with the times of words if `words` are wanted.

    Cues without text or shorter than a millisecond are left out.
    """
    yield "WEBVTT\n\n"
    for cue in cues:
        start, end = milliseconds(cue.start), milliseconds(cue.end)
        text = _payload(cue.lines, start, end if words else start)
        if text and start < end:
            yield f"{clock(start, '.')} --> {clock(end, '.')}\n{text}\n\n"


def _payload(lines: Iterable[Sequence[Part]], start: int, end: int) -> str:
    """Return the text of a cue, with the times of words that lie between `start` and `end`.

    The specification wants each of these times after the one before.
    """
    written: list[str] = []
    latest = start
    for line in lines:
        shown = ""
        for part in line:
            escaped = one_line(part.text).translate(_ENTITIES)
            time = milliseconds(part.start)
            if escaped.strip() and latest < time < end:
                shown += f"<{clock(time, '.')}>"
                latest = time
            shown += escaped
        if shown.strip():
            written.append(shown.strip())
    return "\n".join(written)
