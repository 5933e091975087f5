r"""Advanced SubStation Alpha (v4+) with karaoke, as libass, and with it mpv, VLC and FFmpeg, reads it.

The format has no way to write a backslash: an invisible word joiner after it keeps it from being a command. A brace is
\{ to libass; the empty block {} after it ends the one that it opens for renderers that do not know this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise

from libs.speech.captions.cues import Cue, Part
from libs.speech.captions.escaping import WORD_JOINER, one_line

CONTENT_TYPE = "text/x-ssa; charset=utf-8"

_ESCAPES = {ord("\\"): "\\" + WORD_JOINER, ord("{"): "\\{{}"}

_HEADER = """\
[Script Info]
Title: {title}
ScriptType: v4.00+
WrapStyle: 0
ScaledBorderAndShadow: yes
PlayResX: 1920
PlayResY: 1080

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,64,&H00FFFFFF,&H00A0A0A0,&H00000000,&H80000000,0,0,0,0,100,100,0,0,1,3,1,2,120,120,60,-1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
# Colours are &HAABBGGRR: a word turns from grey to white. Encoding -1: the direction is that of the text.


def iter_ass(cues: Iterable[Cue], *, title: str = "", words: bool = True) -> Iterator[str]:
    """Yield the ASS script line by line; with `words`, karaoke tags say for how long each word is the current one.

    Cues without text or shorter than 1/100 s are left out.
    """
    yield _HEADER.format(title=one_line(title).strip())
    for cue in cues:
        start, end = _centiseconds(cue.start), _centiseconds(cue.end)
        if start < end and any(part.text.strip() for line in cue.lines for part in line):
            text = _karaoke(cue.lines, start, end) if words else r"\N".join(map(_plain, cue.lines))
            yield f"Dialogue: 0,{_clock(start)},{_clock(end)},Default,,0,0,0,,{text}\n"


def _karaoke(lines: Sequence[Sequence[Part]], start: int, end: int) -> str:
    """Return the lines with the time that passes from each word to the next; these times add up to the cue's."""
    parts = [(part, index > 0 and place == 0) for index, line in enumerate(lines) for place, part in enumerate(line)]
    # Each time is rounded by itself, so the errors do not add up.
    edges = [start, *(min(max(_centiseconds(part.start), start), end) for part, _ in parts[1:]), end]
    lasting = [after - before for before, after in pairwise(accumulate(edges, max))]
    return "".join(
        (r"\N" if begins_line else "") + f"{{\\k{duration}}}{_escape(part.text)}"
        for (part, begins_line), duration in zip(parts, lasting, strict=True)
    )


def _plain(line: Sequence[Part]) -> str:
    return "".join(_escape(part.text) for part in line)


def _escape(text: str) -> str:
    return one_line(text).translate(_ESCAPES)


def _centiseconds(seconds: float) -> int:
    return round(seconds * 100)


def _clock(centiseconds: int) -> str:
    seconds, centiseconds = divmod(centiseconds, 100)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}.{centiseconds:02}"
