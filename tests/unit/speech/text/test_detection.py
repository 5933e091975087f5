"""The language of a text is found, or it is said that there is too little to tell."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.speech.languages import profile_for_language
from libs.speech.text.detection import Detection, detect_language

TEXTS = {
    "en": ["Good morning, how are you?", "The weather is nice today.", "THANK YOU VERY MUCH, SIR"],
    "de": ["Das Wetter ist heute schön.", "Wie geht es dir?", "Guten Tag"],
    "fr": ["Il fait beau aujourd'hui.", "Comment ça va ?", "Merci beaucoup"],
    "es": ["Hola, ¿cómo estás?", "Buenos días", "Muchas gracias"],
    "it": ["Ciao bella, come stai?", "Oggi fa bel tempo."],
    "pt": ["Bom dia, como você está?", "Muito obrigado"],
    "nl": ["Goedemorgen, hoe gaat het?", "Het weer is mooi vandaag."],
    "pl": ["Dzień dobry", "Jak się masz?"],
    "cs": ["Dobrý den, jak se máte?"],
    "sv": ["God morgon, hur mår du?"],
    "tr": ["Günaydın, nasılsın?"],
    "hu": ["Jó reggelt, hogy vagy?"],
    "vi": ["Xin chào, bạn khỏe không?"],
    "ru": ["Привет", "Как дела?", "Сегодня хорошая погода."],
    "uk": ["Сьогодні гарна погода."],
    "ar": ["مرحبا بالعالم", "الطقس جميل اليوم"],
    "fa": ["هوا امروز خوب است"],
    "ur": ["آج موسم اچھا ہے"],
    "hi": ["आज मौसम अच्छा है"],
    "mr": ["आज हवामान चांगले आहे"],
    "bn": ["আজ আবহাওয়া ভালো"],
    "ja": ["今日は天気がいい", "東京タワー", "Pythonを使う"],
    "zh": ["今天天气很好", "你好世界", "我喜欢 Python"],
    "yue": ["我唔知佢喺邊度"],
    "ko": ["안녕하세요"],
    "th": ["สวัสดี"],
    "el": ["Καλημέρα"],
    "he": ["שלום"],
    "ka": ["გამარჯობა"],
    "ta": ["வணக்கம்"],
    "am": ["ሰላም"],
}
TOO_LITTLE = ["", "   ", "123 + 4", "😀 👩‍👧", "!?…", "ok", "https://example.com/guten-tag hallo@beispiel.de"]


@pytest.mark.parametrize("language", TEXTS)
def test_the_language_is_found(language: str) -> None:
    found = [detect_language(text) for text in TEXTS[language]]
    assert [detection.language for detection in found] == [language] * len(found)
    assert all(0.0 < detection.confidence <= 1.0 for detection in found)


@pytest.mark.parametrize("text", TOO_LITTLE, ids=range(len(TOO_LITTLE)))
def test_too_little_to_tell(text: str) -> None:
    assert detect_language(text) == Detection(None, 0.0)


def test_a_script_that_cannot_be_spoken() -> None:
    assert detect_language("សួស្តី") == Detection(None, 0.0)


def test_more_text_makes_it_surer() -> None:
    assert detect_language("Das Wetter ist heute schön, und wir gehen spazieren.").confidence > 0.9
    assert detect_language("Das Wetter").confidence < 0.9


def test_the_language_that_most_is_written_in() -> None:
    assert detect_language("Он сказал «hello» и ушёл домой, потому что устал.").language == "ru"
    assert detect_language('He said "привет" and went home because he was tired.').language == "en"


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_has_a_language_that_can_be_spoken_or_none(text: str) -> None:
    detection = detect_language(text)
    assert 0.0 <= detection.confidence <= 1.0
    if detection.language is not None:
        assert profile_for_language(detection.language).engine_voice


def test_a_long_text_takes_no_longer() -> None:
    detect_language("warm")
    began = time.process_time()
    assert detect_language("the long way home " * 60_000).language == "en"
    assert detect_language("x" * 1_000_000).language in (None, "en")
    assert time.process_time() - began < 1.0


def test_threads_get_the_same_answer() -> None:
    texts = [text for each in TEXTS.values() for text in each] * 5
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(detect_language, texts)) == [detect_language(text) for text in texts]
