"""One call from an alignment to the subtitles that are sent."""

from __future__ import annotations

import pytest

from libs.speech.captions.subtitles import SubtitleFormat, iter_subtitles

TEXT = "Hi you. Bye."
TIMES = [index / 10 for index in range(len(TEXT) + 1)]
EXPECTED = {
    SubtitleFormat.SRT: "1\n00:00:00,000 --> 00:00:00,800\nHi you.\n\n2\n00:00:00,800 --> 00:00:01,200\nBye.\n\n",
    SubtitleFormat.VTT: "WEBVTT\n\n00:00:00.000 --> 00:00:00.800\nHi <00:00:00.300>you.\n\n"
    "00:00:00.800 --> 00:00:01.200\nBye.\n\n",
    SubtitleFormat.ASS: "Dialogue: 0,0:00:00.00,0:00:00.80,Default,,0,0,0,,{\\k30}Hi {\\k50}you.\n"
    "Dialogue: 0,0:00:00.80,0:00:01.20,Default,,0,0,0,,{\\k40}Bye.\n",
}
CONTENT_TYPES = {
    SubtitleFormat.SRT: "application/x-subrip; charset=utf-8",
    SubtitleFormat.VTT: "text/vtt; charset=utf-8",
    SubtitleFormat.ASS: "text/x-ssa; charset=utf-8",
}


@pytest.mark.parametrize("written_as", SubtitleFormat)
def test_an_alignment_becomes_subtitles(written_as: SubtitleFormat) -> None:
    sent = iter_subtitles(
        TEXT, TIMES[:-1], TIMES[1:], [(0, 8), (8, 12)], duration_seconds=1.2, written_as=written_as, title="Greeting"
    )
    document = "".join(sent)
    assert document.endswith(EXPECTED[written_as])
    assert ("Title: Greeting\n" in document) == (written_as is SubtitleFormat.ASS)
    assert written_as.content_type == CONTENT_TYPES[written_as]


def test_times_of_another_text_are_refused_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="12 characters have 1 start"):
        iter_subtitles(TEXT, [0.0], [0.1], [], duration_seconds=1.2, written_as=SubtitleFormat.SRT)
