"""Alignments as clients get them: by character, word or sentence, or as subtitles."""

from __future__ import annotations

from typing import Literal

import orjson

from libs.speech.captions.levels import Level, alignment_document
from libs.speech.captions.subtitles import SubtitleFormat, iter_subtitles
from libs.speech.text.sentences import split_sentences
from services.storage.domain.audio import Alignment

JSON: Literal["json"] = "json"


def document(
    alignment: Alignment, level: Level, form: SubtitleFormat | Literal["json"], *, normalized: bool
) -> tuple[bytes, str]:
    """Return an alignment as it is sent, and its content type.

    Characters are those of the text as it was sent, or of what was read in its place if `normalized`; words, sentences
    and subtitles never show markup.
    """
    as_sent = form == JSON and level is Level.CHARACTER
    timeline = alignment.timeline(normalized=normalized) if as_sent or normalized else alignment.spoken()
    text, starts, ends = timeline.text, timeline.start_times, timeline.end_times
    sentences = split_sentences(text, alignment.language)
    if form == JSON:
        return orjson.dumps(alignment_document(text, starts, ends, sentences, level)), "application/json"
    written = iter_subtitles(
        text, starts, ends, sentences, duration_seconds=max(ends, default=0.0), written_as=SubtitleFormat(form)
    )
    return "".join(written).encode(), SubtitleFormat(form).content_type
