"""SubRip. It has no specification: this is what all players read, and what is a command to some of them is defused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from libs.speech.captions.cues import Cue
from libs.speech.captions.escaping import WORD_JOINER, clock, milliseconds, one_line

CONTENT_TYPE = "application/x-subrip; charset=utf-8"

_COMMAND = re.compile(r"--(?=>)|<(?=[/!?A-Za-z])|\\")
"""An arrow that looks like a time, a tag, and what begins a command of ASS, which FFmpeg obeys in SubRip too."""

_BRACES = {ord("{"): "｛", ord("}"): "｝"}
"""FFmpeg, and with it mpv and VLC, hides what stands in braces, with no way to escape them."""


def iter_srt(cues: Iterable[Cue]) -> Iterator[str]:
    """Yield the SubRip file cue by cue. Cues without text or shorter than a millisecond are left out."""
    number = 0
    for cue in cues:
        start, end = milliseconds(cue.start), milliseconds(cue.end)
        shown = [escaped for line in cue.lines if (escaped := _escape("".join(part.text for part in line)))]
        if shown and start < end:
            number += 1
            text = "\n".join(shown)
            yield f"{number}\n{clock(start, ',')} --> {clock(end, ',')}\n{text}\n\n"


def _escape(text: str) -> str:
    return _COMMAND.sub(lambda command: command[0] + WORD_JOINER, one_line(text)).translate(_BRACES).strip()
