"""What eSpeak NG makes of phonemes that a dictionary wrote, and of brackets that a client wrote."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from libs.speech.text.dictionary import Lexicon
from libs.speech.text.ipa import to_mnemonics

PLAIN, PHONEMES = 1, 0x101  # espeakCHARS_UTF8, and that with espeakPHONEMES
VOICES = {"en": "gmw/en", "de": "gmw/de", "fr": "roa/fr", "es": "roa/es", "it": "roa/it", "ru": "zle/ru"}
SPOKEN = {
    "en": [
        "h ə l ˈəʊ",
        "b ˈɜː d",
        "θ ˈɪ ŋ k",
        "tʃ ˈɜː tʃ",
        "dʒ ˈʌ dʒ",
        "m ə ʃ ˈiː n",
        "b ˈɔɪ",
        "n ˈaʊ",
        "j ˈɛ s",
        "h ˈɒ t",
    ],
    "de": ["ʃ ˈøː n", "ˈɪ ç", "m ˈa x ə n", "ˈa pf l̩", "b ˈyː ç ə", "ɡ ˈuː t", "h ˈʊ n t", "ʃ t ˈœ k ə"],
    "fr": ["v ˈɛ̃", "b ˈɔ̃", "b l ˈɑ̃", "ˈœ̃", "p ˈø", "p ˈœ ʁ", "ʒ ˈy", "ˈa ɲ o"],
    "es": ["p ˈe r o", "p ˈe ɾ o", "ˈa ɲ o", "ʎ ˈa β e", "l ˈa ɣ o", "θ j ˈe l o", "tʃ ˈi k o", "x ˈo t a"],
    "it": ["ɲ ˈɔ k k o", "ts ˈi a", "dz ˈɛ r o", "dʒ ˈe l o", "ʃ ˈe n a"],
    "ru": ["m ˈɑ tʲ", "dʲ ˈe n", "ɕ ˈi", "x ˈo ɫ", "ʐ ˈɑ r"],
}
HOSTILE = ["a [[h@l'oU]] b", "[[a]]", "x[[[b]]y", "[[[[h@l'oU", "[[ [[ ]] [[x]]", "我[[a]]们", "[\n[a]]"]


def speak(jobs: list[tuple[str, str, int]]) -> list[tuple[str, int]]:
    """The phonemes and the number of samples of each voice, text and flags."""
    command = [sys.executable, "-m", "tests.support.espeak_phonemes"]
    done = subprocess.run(command, input=json.dumps(jobs), capture_output=True, text=True, check=True, timeout=60)
    return [(phonemes, samples) for phonemes, samples in json.loads(done.stdout)]


def test_phonemes_need_the_flag_and_sound_as_the_word() -> None:
    word, without, with_flag = speak(
        [("gmw/en-US", "hello", PLAIN), ("gmw/en-US", "[[h@l'oU]]", PLAIN), ("gmw/en-US", "[[h@l'oU]]", PHONEMES)]
    )
    assert with_flag[0] == word[0]
    assert abs(with_flag[1] - word[1]) < 0.02 * word[1]
    assert without[1] > 2 * word[1]


@pytest.mark.parametrize("language", VOICES)
def test_sounds_are_spoken_as_written(language: str) -> None:
    jobs = [
        (VOICES[language], f"[[{to_mnemonics(sounds.replace(' ', ''), language)}]]", PHONEMES)
        for sounds in SPOKEN[language]
    ]
    assert [phonemes for phonemes, _ in speak(jobs)] == SPOKEN[language]


@pytest.mark.parametrize("language", [*VOICES, "pl", "tr", "ja", "hi", "sw"])
def test_every_sound_is_heard(language: str) -> None:
    voices = VOICES | {"pl": "zlw/pl", "tr": "trk/tr", "ja": "jpx/ja", "hi": "inc/hi", "sw": "bnt/sw"}
    sounds = [*"pbtdkɡgqcɟʔʈɖfvθðszʃʒʂʐɕʑçʝxχɣhɦɸβɬmɱnɳɲŋlɭɫʎrɹɻɾʀʁʋwʍjɥʦʣʧʤʨ", "tʃ", "dʒ", "ts", "rʲ", "tʲ"]
    sounds += [*"aeiouyɛɔɪʊʌəɘɐæɑɒɜɝɚɞøœɶʏɨʉɯɵɤᵻ", "ɑ̃", "ɛ̃", "ɔ̃", "œ̃", "ã", "aɪ", "aʊ", "ɔɪ", "eɪ", "oʊ", "aː", "øː"]
    spoken = speak([(voices[language], f"[[{to_mnemonics(sound, language)}]]", PHONEMES) for sound in sounds])
    assert [sound for sound, (phonemes, _) in zip(sounds, spoken, strict=True) if not phonemes] == []


@pytest.mark.parametrize("voice", ["gmw/en-US", "gmw/de", "zle/ru", "sit/cmn", "sem/ar"])
def test_a_client_cannot_write_phonemes(voice: str) -> None:
    """With the flag and our reading, its text sounds as it does without the flag."""
    plain = speak([(voice, text, PLAIN) for text in HOSTILE])
    read = speak([(voice, Lexicon().read(text).text, PHONEMES) for text in HOSTILE])
    assert [phonemes for phonemes, _ in read] == [phonemes for phonemes, _ in plain]
    assert all(abs(a - b) < 0.05 * b for (_, a), (_, b) in zip(read, plain, strict=True))
