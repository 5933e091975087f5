"""The phonetic alphabet in eSpeak NG's names; what they sound like is tested with the engine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.speech.text.ipa import to_mnemonics

WRITTEN = {
    "en": {"həˈləʊ": "h@'loU", "/ˈtʃɜːtʃ/": "'tS3:tS", "[ˈɪntəˌnæʃnəl]": "'Int@,naSn@l", "ˈbɒtl̩": "'b0tl-"},
    "de-AT": {"ˈhɔʏ̯zɐ": "'hOYz3", "t͡saɪ̯t": "tsaIt", "baːn": "bA:n", "ˈapfl̩": "'apFl-", "ɪç": "IC"},
    "fr": {"bɔ̃ʒuʁ": "bO~Zur", "œ̃ bɔ̃": "W~ bO~", "b\u00f5": "bO~"},
    "es_MX": {"ˈpero": "'peRo", "ˈpeɾo": "'pe*o", "ˈaɲo": "'an^o"},
    "it": {"ˈɲɔkki": "'n^Ok|ki"},
    "ru": {"dʲenʲ": "d;en;", "tɨ": "ty"},
    "pl": {"ʃa": "Sa"},
}


@pytest.mark.parametrize(
    ("language", "ipa", "mnemonics"),
    [(language, ipa, mnemonics) for language, each in WRITTEN.items() for ipa, mnemonics in each.items()],
    ids=[f"{language}-{index}" for language, each in WRITTEN.items() for index, _ in enumerate(each)],
)
def test_sounds_are_named_as_the_language_names_them(language: str, ipa: str, mnemonics: str) -> None:
    assert to_mnemonics(ipa, language) == mnemonics


@pytest.mark.parametrize(("ipa", "symbol"), [("həˈ%o", "'%'"), ("a]]b", "']'"), ("ǃa", "CLICK"), ("日", "CJK")])
def test_what_is_no_sound_is_named(ipa: str, symbol: str) -> None:
    with pytest.raises(ValueError, match=symbol):
        to_mnemonics(ipa, "en")


@pytest.mark.parametrize("ipa", ["", "  ", "ˈ", "//", "ː."])
def test_there_must_be_a_sound(ipa: str) -> None:
    with pytest.raises(ValueError, match="no sound"):
        to_mnemonics(ipa, "en")


@given(st.text(st.sampled_from("aeiptʃʒɛ̃ʲˈˌː.[]/ ͡ˠɹr"), max_size=30))
def test_phonemes_never_end_early(ipa: str) -> None:
    try:
        written = to_mnemonics(ipa, "fr")
    except ValueError:
        return
    assert "[" not in written
    assert "]" not in written
