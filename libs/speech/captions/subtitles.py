"""The subtitles of an alignment in the format that a client asks for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from libs.speech.captions import ass, srt, webvtt
from libs.speech.captions.cues import cues
from libs.speech.captions.levels import Span, word_times
from libs.speech.captions.words import words


class SubtitleFormat(StrEnum):
    """What subtitles are written as; the value is also the file extension."""

    SRT = "srt"
    VTT = "vtt"
    ASS = "ass"

    @property
    def content_type(self) -> str:
        """The MIME type that the subtitles are served with."""
        return _CONTENT_TYPES[self]


_CONTENT_TYPES = {
    SubtitleFormat.SRT: srt.CONTENT_TYPE,
    SubtitleFormat.VTT: webvtt.CONTENT_TYPE,
    SubtitleFormat.ASS: ass.CONTENT_TYPE,
}


def iter_subtitles(
    text: str,
    starts: Sequence[float],
    ends: Sequence[float],
    sentences: Sequence[Span],
    *,
    duration_seconds: float,
    written_as: SubtitleFormat,
    title: str = "",
) -> Iterator[str]:
    """Return the subtitles of `text`, cue by cue; only ASS shows the `title`.

    `starts` and `ends` are the alignment of `text`, `sentences` its sentences in order as spans of code points, and
    `duration_seconds` is the audio's length. Raises ValueError if text and times are of different lengths.
    """
    shown = cues(text, word_times(text, starts, ends, words(text)), sentences, duration_seconds=duration_seconds)
    match written_as:
        case SubtitleFormat.SRT:
            return srt.iter_srt(shown)
        case SubtitleFormat.VTT:
            return webvtt.iter_webvtt(shown)
        case SubtitleFormat.ASS:
            return ass.iter_ass(shown, title=title)
