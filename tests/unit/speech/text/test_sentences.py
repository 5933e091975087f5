"""Sentences end where a reader of the language would end them."""

from __future__ import annotations

import time
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.speech.text.sentences import LONGEST_SENTENCE, split_sentences

LANGUAGES = ("en", "de", "fr", "ru", "ja", "th", "el", "hy", "hi", "ar", "xx", "")

SPLIT = {
    "en": [
        ["Dr. Smith paid $3.50 to J. R. Jones Inc. on 5 May.", "Then he left!", "Really?!", "Yes."],
        ['"Stop!" he cried.', '"Why?"', 'She said "no."', "(He left.)", "Good."],
        ["We met at 5 p.m. on Main St. near the bank.", "It was e.g. good, etc. and more.", "The U.S. Army came."],
        ["No. 5 is alive.", "No.", "He said no.", "I agree."],
        ["See https://example.com/a.b?c=1!d or mail a.b@example.com.", "Thanks."],
        ["Well... maybe.", "Well…", "Maybe it was . . . not.", "Who knows?"],
        ["so i said hello.", "they all left.", "nothing more."],
        [
            "Version 2.0.",
            "Next.",
            "On Jan. 5 we met.",
            "Plan B.",
            "It works.",
            "(See above.)",
            "[Note.]",
            "I am J.-P. Roe.",
        ],
        ["It was shown before.[1]", "Then again.[23]", "End"],
    ],
    "de": [
        ["Am 3. Mai kam Dr. Meier, z. B. mit Hunden usw. und blieb.", "Dann ging er."],
        ["Im 19. Jahrhundert lebte Ludwig XIV. König von Frankreich.", "Er kostet 3,50 Euro bzw. 4.000 Yen."],
        ["Die Co. KG hat 5 Mio. Euro.", "Prof. Dr. h. c. Müller sprach.", "Vgl. S. 5 ff. und Abb. 3 oben.", "Ja!"],
        ["„Halt!“ rief er.", "„Komm.“", "»Nein.«", "Das war 1990.", "Gut."],
    ],
    "fr": [
        ["« Quoi ? » dit-il.", "« Non ! »", "M. Dupont, p. ex., et Mme. Curie.", "Fin"],
        ["Le Dr. Martin habite av. Foch.", "Il mange des fruits, etc. et du pain."],
    ],
    "es": [["¿Cómo está la Sra. Gómez?", "¡Bien!", "Vive en EE. UU. y viaja, p. ej. a Lima.", "Adiós."]],
    "it": [["Il sig. Rossi e la dott.ssa Bianchi, p. es., sono qui.", "Arrivano pane, vino ecc. e acqua.", "Ciao!"]],
    "pt": [["O Sr. Silva mora na av. Brasil, n. 5, p. ex. aqui.", "A Dra. Lima saiu."]],
    "ru": [
        [
            "В 1990 г. он приехал, т. е. вернулся.",
            "А. С. Пушкин родился в г. Москва.",
            "Было 5 тыс. руб. и т. д.",
            "Потом",
        ],
    ],
    "pl": [["Dr Nowak, tj. np. prof. Kowalski, przyszedł 3. dnia.", "W 1990 r. był tu.", "Kupił itd.", "Koniec."]],
    "nl": [["Dhr. de Vries komt, d.w.z. bijv. morgen, met mevr. Bos.", "Hij heeft brood enz. bij zich.", "Tot ziens!"]],
    "cs": [["Přišel 3. května, tj. např. prof. Novák.", "Dobře."]],
    "el": [["Τι κάνεις;", "Καλά.", "Εσύ;"]],
    "hi": [["डॉ. शर्मा आए।", "आप कैसे हैं?", "मैं ठीक हूँ॥"]],
    "ar": [["كيف حالك؟", "أنا بخير.", "شكرا!"]],
    "ur": [["یہ ایک جملہ ہے۔", "کیا حال ہے؟", "شکریہ۔"]],
    "hy": [["Սա մեկն է։", "Սա երկուսն է։", "Լավ:", "Այո"]],
    "am": [["ሰላም ነው።", "እንዴት ነህ፧", "ደህና"]],
    "my": [["မင်္ဂလာပါ။", "နေကောင်းလား။", "ကောင်း"]],
    "km": [["សួស្តី។", "អរគុណ។"]],
    "th": [["สวัสดีชาวโลกวันนี้อากาศดีมากเลยครับผม", "เราไปเที่ยวกันเถอะนะครับทุกคนที่รักกัน", "ขอบคุณครับ"]],
}
UNSPACED = {
    "ja": ["今日は。", "「はい。」と言った。", "明日！", "いいね？", "本当に!", "終わり"],
    "zh": ["你好。", "他说：“好！”", "“好。”", "她说。", "真的吗?", "是的……我知道。", "价格是3.5元。"],
}
LINES = {
    "list": ["- one thing\n", "- another\n", "* third\n\n", "end"],
    "numbers": ["1. First thing\n", "2. Second thing.\n", "10. Tenth. ", "Good"],
    "heading": ["A Heading\n", "Then the text."],
    "paragraphs": ["no stop\n\n", "no stop either\r\n\r\n", "end\n"],
    "wrapped": ["This line is wrapped at\nthe margin. ", "So be it"],
    "margin": ["This line of text is as long as the lines of plain mails were and goes to\nLondon by train."],
}
HOSTILE = {
    "dots": "." * 1_000_000,
    "no-space": "a" * 1_000_000,
    "lines": "\n" * 1_000_000,
    "initials": "A. " * 333_333,
    "spaced-dots": ". " * 500_000,
    "quotes": '."' * 500_000,
    "marks": "\u0301" * 1_000_000,
    "flags": "\U0001f1e9" * 1_000_000,
    "cjk": "好。" * 500_000,
    "gap": "a" + " " * 999_998 + "b",
    "marked-gap": "a" + " " * 999_998 + "\u0301",
    "gaps": ("." + " " * 999) * 1000,
    "commas": "a, " * 333_333,
    "addresses": "https://a.b/?x" * 70_000,
    "prose": "The quick brown fox, e.g. Mr. Fox, jumps over it. " * 20_000,
}


def parts(text: str, language: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text, language)]


@pytest.mark.parametrize(
    ("language", "sentences"),
    [(language, sentences) for language, texts in SPLIT.items() for sentences in texts],
    ids=[f"{language}-{index}" for language, texts in SPLIT.items() for index, _ in enumerate(texts)],
)
def test_sentences_of_languages_with_spaces(language: str, sentences: list[str]) -> None:
    assert [part.strip() for part in parts(" ".join(sentences), language)] == sentences


@pytest.mark.parametrize("language", UNSPACED)
def test_sentences_of_languages_without_spaces(language: str) -> None:
    assert parts("".join(UNSPACED[language]), language) == UNSPACED[language]


@pytest.mark.parametrize("lines", LINES.values(), ids=LINES)
def test_lines(lines: list[str]) -> None:
    assert parts("".join(lines), "en-GB") == lines


def test_a_region_does_not_change_the_language() -> None:
    assert len(parts("Am 3. Mai. Gut.", "de-AT")) == 2


def test_what_is_too_long_is_cut_at_clauses_then_spaces_then_characters() -> None:
    clause = "and then there came one more of them, "
    assert all(part.endswith(", ") for part in parts(clause * 40, "en")[:-1])
    assert all(part.endswith(" ") for part in parts("word " * 400, "en")[:-1])
    family = "👩\u200d👩\u200d👧"
    assert all(part == family * (len(part) // 5) for part in parts(family * 400, "en"))
    assert all(len(part) % 2 == 0 for part in parts("🇩🇪" * 400, "en"))
    assert all(len(part) % 2 == 0 for part in parts("e\u0301" * 400, "en"))


def test_an_address_among_characters_without_spaces_is_not_cut() -> None:
    text = "字" * 450 + "https://example.com/" + "a/b" * 20 + "字" * 100
    assert any("https://example.com/" + "a/b" * 20 in part for part in parts(text, "zh"))


@given(st.text(max_size=200), st.sampled_from(LANGUAGES))
def test_any_text_is_covered(text: str, language: str) -> None:
    check(text, language)


@given(st.text("aA9. \n\t\r!?…。」”;:»\u0301\u200d🇩👩字ก่ ्क،-", max_size=300), st.sampled_from(LANGUAGES))
def test_any_text_of_what_matters_is_covered(text: str, language: str) -> None:
    check(text, language)


@given(st.text("a \u0301字ก,、🇩", min_size=1, max_size=60), st.integers(20, 60), st.sampled_from(LANGUAGES))
def test_any_long_text_is_covered(text: str, times: int, language: str) -> None:
    check(text * times, language)


def check(text: str, language: str) -> None:
    spans = split_sentences(text, language)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(start < end for start, end in spans)
    if not text.isspace():
        assert not any(text[start:end].isspace() for start, end in spans)
    for start, _ in spans[1:]:
        before, after = text[start - 1], text[start]
        assert before + after != "\r\n"
        assert before != "\u200d"
        assert before in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029" or (after != "\u200d" and category(after)[0] != "M")
    for start, end in spans:
        piece = text[start:end].strip()
        assert len(piece) <= LONGEST_SENTENCE or "\u0301" in piece or "\u200d" in piece


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_million_characters_take_less_than_two_seconds(text: str) -> None:
    began = time.process_time()
    spans = split_sentences(text, "en")
    assert time.process_time() - began < 2.0
    assert spans[-1][1] == len(text)
