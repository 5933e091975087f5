"""Which of eSpeak NG's voices speaks a language.

The table is the voice list of eSpeak NG 1.52 by lower-case BCP-47 tag, without most constructed languages and without
Faroese and Karakalpak, whose dictionaries the package lacks. Where there is no voice for a region, the tag is looked up
without its last part, as RFC 4647 says: en-IN and en-AU are spoken in British English, de-AT in German.
"""

from __future__ import annotations

from libs.speech.engine import UnknownEngineVoice, VoiceProfile

_BRITISH, _AMERICAN, _MANDARIN, _CANTONESE = "gmw/en", "gmw/en-US", "sit/cmn", "sit/yue"
_LATIN_AMERICAN, _BRAZILIAN, _NORWEGIAN = "roa/es-419", "roa/pt-BR", "gmq/nb"

VOICE_OF_LANGUAGE = {
    "af": "gmw/af", "am": "sem/am", "an": "roa/an", "ar": "sem/ar", "as": "inc/as", "az": "trk/az",
    "ba": "trk/ba", "be": "zle/be", "bg": "zls/bg", "bn": "inc/bn", "bpy": "inc/bpy", "bs": "zls/bs",
    "ca": "roa/ca", "chr": "iro/chr", "cs": "zlw/cs", "cv": "trk/cv", "cy": "cel/cy", "da": "gmq/da",
    "de": "gmw/de", "el": "grk/el", "en": _BRITISH, "en-029": "gmw/en-029", "en-ca": _AMERICAN, "en-ph": _AMERICAN,
    "en-us": _AMERICAN, "eo": "art/eo", "es": "roa/es", "es-419": _LATIN_AMERICAN, "es-ar": _LATIN_AMERICAN,
    "es-cl": _LATIN_AMERICAN, "es-co": _LATIN_AMERICAN, "es-mx": _LATIN_AMERICAN, "es-pe": _LATIN_AMERICAN,
    "es-us": _LATIN_AMERICAN, "es-ve": _LATIN_AMERICAN, "et": "urj/et", "eu": "eu", "fa": "ira/fa",
    "fa-latn": "ira/fa-Latn", "fi": "urj/fi", "fr": "roa/fr", "fr-be": "roa/fr-BE",
    "fr-ch": "roa/fr-CH", "ga": "cel/ga", "gd": "cel/gd", "gn": "sai/gn", "grc": "grk/grc", "gu": "inc/gu",
    "hak": "sit/hak", "haw": "map/haw", "he": "sem/he", "hi": "inc/hi", "hr": "zls/hr", "ht": "roa/ht",
    "hu": "urj/hu", "hy": "ine/hy", "hyw": "ine/hyw", "ia": "art/ia", "id": "poz/id", "is": "gmq/is",
    "it": "roa/it", "ja": "jpx/ja", "ka": "ccs/ka", "kk": "trk/kk", "kl": "esx/kl",
    "kn": "dra/kn", "ko": "ko", "kok": "inc/kok", "ku": "ira/ku", "ky": "trk/ky", "la": "itc/la", "lb": "gmw/lb",
    "lt": "bat/lt", "ltg": "bat/ltg", "lv": "bat/lv", "mi": "poz/mi", "mk": "zls/mk", "ml": "dra/ml",
    "mr": "inc/mr", "ms": "poz/ms", "mt": "sem/mt", "mto": "miz/mto", "my": "sit/my", "nb": _NORWEGIAN,
    "nci": "azc/nci", "ne": "inc/ne", "nl": "gmw/nl", "nn": _NORWEGIAN, "no": _NORWEGIAN, "nog": "trk/nog",
    "om": "cus/om", "or": "inc/or", "pa": "inc/pa", "pap": "roa/pap", "pl": "zlw/pl", "pt": _BRAZILIAN,
    "pt-pt": "roa/pt", "qu": "qu", "quc": "myn/quc", "ro": "roa/ro", "ru": "zle/ru", "ru-lv": "zle/ru-LV",
    "sd": "inc/sd", "shn": "tai/shn", "si": "inc/si", "sk": "zlw/sk", "sl": "zls/sl", "smj": "urj/smj",
    "sq": "ine/sq", "sr": "zls/sr", "sv": "gmq/sv", "sw": "bnt/sw", "ta": "dra/ta", "te": "dra/te",
    "th": "tai/th", "ti": "sem/ti", "tk": "trk/tk", "tn": "bnt/tn", "tr": "trk/tr", "tt": "trk/tt",
    "ug": "trk/ug", "uk": "zle/uk", "ur": "inc/ur", "uz": "trk/uz", "vi": "aav/vi", "yue": _CANTONESE,
    "zh": _MANDARIN, "zh-hk": _CANTONESE, "zh-mo": _CANTONESE, "zh-yue": _CANTONESE, "cmn": _MANDARIN,
}  # fmt: skip
"""eSpeak NG's identifier of the voice, by lower-case language tag."""


def profile_for_language(tag: str) -> VoiceProfile:
    """The plain voice of a language, as for a custom voice of which nothing but the language is known.

    `tag` is a BCP-47 tag in any case. Raises UnknownEngineVoice if the engine does not speak the language.
    """
    parts = tag.lower().replace("_", "-").split("-")
    while parts:
        voice = VOICE_OF_LANGUAGE.get("-".join(parts))
        if voice is not None:
            return VoiceProfile(engine_voice=voice, language=tag)
        parts.pop()
    raise UnknownEngineVoice(f"the engine does not speak {tag!r}: use a BCP-47 tag such as en-US, de-DE or hi-IN")
