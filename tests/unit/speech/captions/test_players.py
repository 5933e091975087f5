"""What FFmpeg, on which most players are built, makes of the files: every text is shown and none is obeyed."""

from __future__ import annotations

import re
from io import BytesIO

import av
import pytest
from av.subtitles.subtitle import AssSubtitle

from libs.speech.captions.ass import iter_ass
from libs.speech.captions.srt import iter_srt
from libs.speech.captions.webvtt import iter_webvtt
from tests.unit.speech.captions.texts import HOSTILE, one_cue, plain, without_joiners

TEXTS = [f"a{hostile}b" for hostile in HOSTILE] + ["a{\\an8}b{c}\\n", "שלום 日本 👍🏽"]
CUES = [one_cue(text, start=number * 2.0, end=number * 2.0 + 1.5) for number, text in enumerate(TEXTS)]
WRITTEN = {
    "srt": "".join(iter_srt(CUES)),
    "webvtt": "".join(iter_webvtt(CUES)),
    "ass": "".join(iter_ass(CUES, words=False)),
}


_TOKEN = re.compile(r"\\({){}|(\\(?=\u2060))|([^\\{])")


@pytest.mark.parametrize("name", WRITTEN)
def test_every_text_is_shown_as_it_was_written(name: str) -> None:
    shown: list[tuple[float, str]] = []
    with av.open(BytesIO(WRITTEN[name].encode()), "r", format=name) as file:
        for packet in file.demux(file.streams.subtitles[0]):
            for subtitle in packet.decode() if packet.size else ():
                assert isinstance(subtitle, AssSubtitle)
                assert packet.pts is not None
                shown.append((float(packet.pts * packet.time_base), _drawn(subtitle.ass)))
    assert [start for start, _ in shown] == [cue.start for cue in CUES]
    assert [text for _, text in shown] == [without_joiners(plain(cue.text)) for cue in CUES]


def _drawn(event: bytes) -> str:
    """The text that libass draws for an event of FFmpeg's, none of which may be a command."""
    text = event.decode().split(",", 8)[8]
    tokens = list(_TOKEN.finditer(text))
    assert "".join(token[0] for token in tokens) == text
    drawn = "".join(token[1] or token[2] or token[3] for token in tokens)
    return without_joiners(drawn).replace("｛", "{").replace("｝", "}").strip()
