"""Alignments as clients get them: by character, word or sentence, or as subtitles."""

from __future__ import annotations

from enum import StrEnum

import orjson

from libs.speech.captions.ass import to_ass
from libs.speech.captions.cues import cues
from libs.speech.captions.levels import Level, alignment_document, word_times
from libs.speech.captions.srt import to_srt
from libs.speech.captions.webvtt import to_webvtt
from libs.speech.captions.words import words
from libs.speech.text.sentences import split_sentences
from services.storage.domain.audio import Alignment, Timeline


class Form(StrEnum):
    """As what an alignment is sent."""

    JSON = "json"
    SRT = "srt"
    VTT = "vtt"
    ASS = "ass"

    @property
    def media_type(self) -> str:
        """The MIME type."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    Form.JSON: "application/json",
    Form.SRT: "application/x-subrip; charset=utf-8",
    Form.VTT: "text/vtt; charset=utf-8",
    Form.ASS: "text/x-ssa; charset=utf-8",
}


def document(alignment: Alignment, level: Level, form: Form, *, normalized: bool) -> bytes:
    """Return an alignment as it is sent.

    Characters are those of the text as it was sent, or of what was read in its place if `normalized`; words, sentences
    and subtitles never show markup.
    """
    if form is Form.JSON and level is Level.CHARACTER:
        return orjson.dumps(_characters(alignment.timeline(normalized=normalized)))
    timeline = alignment.timeline(normalized=True) if normalized else alignment.spoken()
    starts, ends = timeline.start_times, timeline.end_times
    sentences = split_sentences(timeline.text, alignment.language)
    if form is Form.JSON:
        return orjson.dumps(alignment_document(timeline.text, starts, ends, sentences, level))
    timed = word_times(timeline.text, starts, ends, words(timeline.text))
    shown = cues(timeline.text, timed, sentences, duration_seconds=max(ends, default=0.0))
    if form is Form.SRT:
        return to_srt(shown).encode()
    return to_webvtt(shown).encode() if form is Form.VTT else to_ass(shown).encode()


def _characters(timeline: Timeline) -> dict[str, object]:
    return {
        "characters": list(timeline.text),
        "start_times": list(timeline.start_times),
        "end_times": list(timeline.end_times),
    }
