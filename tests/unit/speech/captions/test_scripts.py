"""From the text that a client sent to its subtitles, with the sentences that the product finds, in many scripts."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from libs.speech.captions.ass import iter_ass
from libs.speech.captions.cues import cues
from libs.speech.captions.layout import columns
from libs.speech.captions.levels import sentence_times, word_times
from libs.speech.captions.srt import iter_srt
from libs.speech.captions.webvtt import iter_webvtt
from libs.speech.captions.words import words
from libs.speech.text.sentences import split_sentences

TEXTS = {
    "en": "Dr. Smith paid $1,234.50 at 10:30 a.m. for it. “Really?” she asked, and didn't believe a well-known liar!",
    "de": "Am 3. Oktober 1990 wurde Deutschland wiedervereinigt, z. B. durch den Vertrag. Das war's – mehr nicht.",
    "fr": "« Bonjour ! » dit-elle ; il n’y avait que 1\u202f234 personnes. Aujourd’hui, c’est fini…",
    "es": "¿Qué pasa? ¡Nada! El señor dijo que volvería mañana, pero nadie lo creyó entonces.",
    "ru": "Это т. н. проверка. В 1812 году, как известно, началась война; потом она кончилась.",
    "el": "Πού είναι; Δεν ξέρω. Ίσως αύριο, αν θέλεις, να έρθουμε όλοι μαζί εκεί.",
    "ar": "ما هذا؟ إنّه كتابٌ جميل، اشتريته بـ١٬٢٣٤٫٥ ريال. ثم ذهبت.",
    "he": "מה זה? זה ספר יפה, של רמטכ״ל לשעבר. הוא עלה 1,000 ש״ח.",
    "hi": "यह क्या है? यह एक अच्छी किताब है। मैंने इसे कल ही ख़रीदा था।",
    "zh": "这是什么？“他说：《红楼梦》是一本好书。”我在2024年读了三遍，每一遍都有新的感受，所以还想再读。",
    "ja": "これは何ですか？「スーパーで2024年に買いました。」と彼は言った。名前はまだ無い。",
    "ko": "이것은 무엇입니까? 제가 어제 산 책이에요. 정말 재미있어요!",
    "th": "สวัสดีครับ นี่คือหนังสือของผม ซื้อมาเมื่อปี ๒๕๖๗ ราคา 1,000 บาท",
    "vi": "Đây là gì? Tôi đã mua nó hôm qua, ở Hà Nội. Rất hay!",
    "emoji": "Well done 👍🏽👨‍👩‍👧‍👦! Flags 🇩🇪🇫🇷 and keys 1️⃣2️⃣. ❤️‍🔥 Bye 👋.",
}
SECONDS = 0.08


@pytest.mark.parametrize("language", TEXTS)
def test_subtitles_show_the_whole_text_in_order(language: str) -> None:
    text = TEXTS[language]
    edges = [index * SECONDS for index in range(len(text) + 1)]
    sentences = split_sentences(text, "en" if language == "emoji" else language)
    heard = word_times(text, edges[:-1], edges[1:], words(text))
    shown = list(cues(text, heard, sentences, duration_seconds=edges[-1]))
    assert _solid("".join(cue.text for cue in shown)) == _solid(text)
    assert all(before.end <= after.start for before, after in pairwise(shown))
    assert {cue.start for cue in shown} <= {word.start for word in heard}
    assert shown[-1].end <= edges[-1]
    lines = [line for cue in shown for line in cue.lines]
    assert all(columns("".join(part.text for part in line)) <= 42 for line in lines)
    assert _solid("".join(unit.text for unit in sentence_times(text, edges[:-1], edges[1:], sentences))) == _solid(text)


def test_every_format_shows_every_script() -> None:
    for language, text in TEXTS.items():
        edges = [index * SECONDS for index in range(len(text) + 1)]
        heard = word_times(text, edges[:-1], edges[1:], words(text))
        shown = list(cues(text, heard, split_sentences(text, language), duration_seconds=edges[-1]))
        for document in (
            "".join(iter_srt(shown)),
            "".join(iter_webvtt(shown, words=False)),
            "".join(iter_ass(shown, words=False)).replace(r"\N", "\n"),
        ):
            assert all(cue.text in document for cue in shown)


def _solid(text: str) -> str:
    return re.sub(r"\s", "", text)
