"""The system voices: who they are, how the engine speaks them, and what each says as its preview.

All are formant synthesis by eSpeak NG, clear and plainly synthetic; the descriptions say so where it matters, and say
whose accent is heard where the engine has none for the region.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID, uuid5

from libs.speech.engine import VoiceProfile
from libs.speech.languages import profile_for_language

__all__ = ["SYSTEM_VOICES", "Category", "SystemVoice", "profile_for_language"]

Category = Literal[
    "AUDIOBOOK", "CONVERSATIONAL", "CUSTOMER_SERVICE", "GENERAL", "NARRATIVE", "CHARACTERS",
    "MEDITATION", "MOTIVATIONAL", "PODCAST", "ADVERTISING", "VOICEOVER", "CORPORATE",
]  # fmt: skip

_NAMESPACE = UUID("6f0b5c1e-5b5f-5c53-9d0e-0f5a3c0a7e11")


@dataclass(frozen=True, slots=True)
class SystemVoice:
    """A voice that every organisation has. `id` never changes; `preview_text` is in the voice's own language."""

    name: str
    gender: Literal["female", "male", "neutral"]
    age: Literal["child", "young", "adult", "senior"]
    category: Category
    description: str
    profile: VoiceProfile
    preview_text: str

    @property
    def id(self) -> UUID:
        """The same in every installation: made from the name."""
        return uuid5(_NAMESPACE, self.slug)

    @property
    def slug(self) -> str:
        """The name as it stands in object keys: lower-case ASCII."""
        return self.name.lower()

    @property
    def language(self) -> str:
        """The BCP-47 tag."""
        return self.profile.language


def _speaks(
    engine_voice: str,
    language: str,
    variant: str,
    rate: int,
    pitch: int = 50,
    pitch_range: int = 50,
    volume: int = 100,
    word_gap: int = 0,
) -> VoiceProfile:
    return VoiceProfile(engine_voice, language, rate, pitch, pitch_range, variant, volume, word_gap)


_ENGLISH = (
    SystemVoice(
        "Emma",
        "female",
        "adult",
        "GENERAL",
        "Neutral American English for every purpose. A clear, even synthetic female voice.",
        _speaks("gmw/en-US", "en-US", "f1", 170),
        "Hello, I am Emma. Give me a text, and I will read it to you, word by word.",
    ),
    SystemVoice(
        "Henry",
        "male",
        "adult",
        "GENERAL",
        "Neutral British English for every purpose. A clear, even synthetic male voice.",
        _speaks("gmw/en", "en-GB", "Alex", 168, 50, 50),
        "Hello, my name is Henry. I read letters, lists and long articles with the same care.",
    ),
    SystemVoice(
        "Aaron",
        "male",
        "adult",
        "AUDIOBOOK",
        "Soothing and calm, like a self-help audiobook narrator. A warm synthetic male voice with an American accent.",
        _speaks("gmw/en-US", "en-US", "m3", 150, 42, 40),
        "Take a slow breath. This is Aaron, and I will read to you for as long as you like.",
    ),
    SystemVoice(
        "Abigail",
        "female",
        "adult",
        "CUSTOMER_SERVICE",
        "Friendly and quick to the point. A clear synthetic female voice with an American accent.",
        _speaks("gmw/en-US", "en-US", "f2", 172, 52, 55),
        "Thank you for calling. My name is Abigail. How can I help you today?",
    ),
    SystemVoice(
        "Carter",
        "male",
        "young",
        "ADVERTISING",
        "Bright, fast and eager to sell. A synthetic male voice with an American accent and a wide melody.",
        _speaks("gmw/en-US", "en-US", "pablo", 200, 58, 80, 80),
        "This weekend only: everything must go! Come in, look around, and tell them Carter sent you.",
    ),
    SystemVoice(
        "Dorothy",
        "female",
        "senior",
        "NARRATIVE",
        "A grandmother who takes her time over a story. A trembling synthetic female voice with an American accent.",
        _speaks("gmw/en-US", "en-US", "grandma", 140, 40, 55),
        "Come closer, dear. Dorothy knows a tale that nobody has told for sixty years.",
    ),
    SystemVoice(
        "Walter",
        "male",
        "senior",
        "CHARACTERS",
        "Old, hoarse and a little grumpy. A croaking synthetic male voice with an American accent.",
        _speaks("gmw/en-US", "en-US", "croak", 145, 35, 45),
        "In my day we walked to school. Uphill. Both ways. And nobody asked old Walter whether he liked it.",
    ),
    SystemVoice(
        "Robin",
        "neutral",
        "adult",
        "CHARACTERS",
        "A machine, and not ashamed of it: flat, metallic, precise. For robots and ship computers.",
        _speaks("gmw/en-US", "en-US", "robosoft", 160, 45, 5, 80),
        "All systems are running. Good morning. I am Robin, and the doors are now locked.",
    ),
    SystemVoice(
        "Zoe",
        "neutral",
        "child",
        "CHARACTERS",
        "A small, very high cartoon child. Synthetic, with an American accent; best in short lines.",
        _speaks("gmw/en-US", "en-US", "zac", 180, 50, 60, 60),
        "Look, look! I found a frog, and its name is Zoe, just like me!",
    ),
    SystemVoice(
        "Luna",
        "female",
        "adult",
        "MEDITATION",
        "Whispered, unhurried, with long pauses. A synthetic female voice without tone; use headphones.",
        _speaks("gmw/en-US", "en-US", "whisperf", 118, 50, 30, 100, 12),
        "Close your eyes. Let the day go. Luna is here, and there is nothing left to do.",
    ),
    SystemVoice(
        "Mason",
        "male",
        "adult",
        "MOTIVATIONAL",
        "A coach from New York who will not let you give up. A driving, resonant synthetic male voice.",
        _speaks("gmw/en-US-nyc", "en-US", "m7", 188, 55, 90, 90),
        "Get up! One more time. You did not come this far to stop here, and Mason is not going home either.",
    ),
    SystemVoice(
        "Charlotte",
        "female",
        "adult",
        "AUDIOBOOK",
        "Composed and literary. A synthetic female voice in Received Pronunciation.",
        _speaks("gmw/en-GB-x-rp", "en-GB", "f4", 152, 48, 50),
        "Chapter one, read by Charlotte. It was raining, and the last guest had not arrived.",
    ),
    SystemVoice(
        "Edmund",
        "male",
        "adult",
        "CORPORATE",
        "Measured and formal, for reports and announcements. A synthetic male voice in Received Pronunciation.",
        _speaks("gmw/en-GB-x-rp", "en-GB", "m1", 158, 40, 35),
        "Good afternoon. My name is Edmund, and these are the results of the third quarter.",
    ),
    SystemVoice(
        "Fiona",
        "female",
        "young",
        "CONVERSATIONAL",
        "Lively and easy-going. A light synthetic female voice with a Scottish accent.",
        _speaks("gmw/en-GB-scotland", "en-GB", "f3", 175, 50, 65),
        "Oh, it is yourself! Fiona here. Shall we have a wee chat before the rain comes back?",
    ),
    SystemVoice(
        "Graham",
        "male",
        "adult",
        "PODCAST",
        "Down-to-earth, as if across a kitchen table. A synthetic male voice with a Lancashire accent.",
        _speaks("gmw/en-GB-x-gbclan", "en-GB", "m6", 170, 45, 60, 90),
        "Right then, welcome back to the show. I am Graham, the kettle is on, and we have a lot to get through.",
    ),
    SystemVoice(
        "Nigel",
        "male",
        "adult",
        "VOICEOVER",
        "Very deep, for trailers and titles. A synthetic bass voice with a West Midlands accent.",
        _speaks("gmw/en-GB-x-gbcwmd", "en-GB", "david", 140, 40, 40),
        "One city. One night. One voice. Nigel. Coming this winter.",
    ),
    SystemVoice(
        "Priya",
        "female",
        "young",
        "CUSTOMER_SERVICE",
        "Patient and brisk. A breathy synthetic female voice for Indian English: the engine has no Indian accent, "
        "so words are pronounced as in British English.",
        _speaks("gmw/en", "en-IN", "f5", 178, 52, 60),
        "Hello, this is Priya from the help desk. May I have your booking number, please?",
    ),
    SystemVoice(
        "Arjun",
        "male",
        "adult",
        "CORPORATE",
        "Confident and even. A full synthetic male voice for Indian English: the engine has no Indian accent, "
        "so words are pronounced as in British English.",
        _speaks("gmw/en", "en-IN", "Nguyen", 165, 42, 45),
        "Good morning, everyone. I am Arjun, and I will take you through the plan for the coming year.",
    ),
    SystemVoice(
        "Matilda",
        "female",
        "young",
        "PODCAST",
        "Sunny and talkative. A high synthetic female voice for Australian English: the engine has no Australian "
        "accent, so words are pronounced as in British English.",
        _speaks("gmw/en", "en-AU", "Annie", 182, 38, 70),
        "Good day, and welcome! Matilda here, with three stories from the coast and one from the bush.",
    ),
    SystemVoice(
        "Lachlan",
        "male",
        "young",
        "CONVERSATIONAL",
        "Relaxed and good-humoured. A nasal synthetic male voice for Australian English: the engine has no "
        "Australian accent, so words are pronounced as in British English.",
        _speaks("gmw/en", "en-AU", "m5", 168, 56, 65),
        "No worries, mate. Lachlan will sort it out, and then we are off to the beach.",
    ),
)

_OTHER_LANGUAGES = (
    SystemVoice(
        "Nikolai",
        "male",
        "adult",
        "NARRATIVE",
        "A serious Russian storyteller. A low synthetic male voice.",
        _speaks("zle/ru", "ru-RU", "m4", 150, 40, 50),
        "Меня зовут Николай. Послушайте историю, которая началась давно, в маленьком городе на берегу реки.",
    ),
    SystemVoice(
        "Svetlana",
        "female",
        "adult",
        "GENERAL",
        "Neutral Russian for every purpose. A clear synthetic female voice.",
        _speaks("zle/ru", "ru-RU", "f1", 168, 52, 50),
        "Здравствуйте, меня зовут Светлана. Сегодня хорошая погода, и у меня есть для вас новости.",
    ),
    SystemVoice(
        "Klaus",
        "male",
        "senior",
        "VOICEOVER",
        "Deep, dry and dependable German. A synthetic male voice for documentaries.",
        _speaks("gmw/de", "de-DE", "m8", 150, 42, 40),
        "Mein Name ist Klaus. Tief unter dem Eis beginnt eine Reise, die niemand für möglich hielt.",
    ),
    SystemVoice(
        "Greta",
        "female",
        "adult",
        "CORPORATE",
        "Correct and well organised German. A bright synthetic female voice.",
        _speaks("gmw/de", "de-DE", "f2", 170, 50, 45),
        "Guten Tag, ich bin Greta. Die Sitzung beginnt um neun Uhr, die Unterlagen liegen bereit.",
    ),
    SystemVoice(
        "Camille",
        "female",
        "adult",
        "MEDITATION",
        "Soft and slow French. A breathy synthetic female voice.",
        _speaks("roa/fr", "fr-FR", "f5", 130, 45, 35, 100, 6),
        "Je m'appelle Camille. Fermez les yeux, respirez doucement, et écoutez le bruit de la mer.",
    ),
    SystemVoice(
        "Luc",
        "male",
        "young",
        "CONVERSATIONAL",
        "Quick and casual French. A light synthetic male voice.",
        _speaks("roa/fr", "fr-FR", "m2", 185, 56, 60),
        "Salut, moi c'est Luc. On prend un café, et tu me racontes tout ?",
    ),
    SystemVoice(
        "Lucia",
        "female",
        "young",
        "MOTIVATIONAL",
        "Full of energy, in Castilian Spanish. A strong synthetic female voice.",
        _speaks("roa/es", "es-ES", "f4", 190, 55, 80, 90),
        "¡Vamos, tú puedes! Soy Lucía, y hoy vas a llegar más lejos que ayer.",
    ),
    SystemVoice(
        "Diego",
        "male",
        "adult",
        "PODCAST",
        "Warm and curious, in Latin American Spanish. A full synthetic male voice.",
        _speaks("roa/es-419", "es-MX", "Michael", 172, 48, 65),
        "Bienvenidos a un nuevo episodio. Soy Diego, y hoy hablamos de la música de nuestra ciudad.",
    ),
    SystemVoice(
        "Giulia",
        "female",
        "young",
        "ADVERTISING",
        "Cheerful Italian with a wide melody. A high synthetic female voice.",
        _speaks("roa/it", "it-IT", "Annie", 188, 45, 85),
        "Ciao, sono Giulia! Solo oggi, due gelati al prezzo di uno: non perdere l'occasione!",
    ),
    SystemVoice(
        "Rafael",
        "male",
        "adult",
        "GENERAL",
        "Pleasant Brazilian Portuguese for every purpose. A synthetic male voice.",
        _speaks("roa/pt-BR", "pt-BR", "m3", 165, 48, 55),
        "Olá, meu nome é Rafael. Hoje o céu está azul e o dia promete ser muito bom.",
    ),
    SystemVoice(
        "Ananya",
        "female",
        "adult",
        "NARRATIVE",
        "A gentle Hindi storyteller. A synthetic female voice.",
        _speaks("inc/hi", "hi-IN", "f1", 150, 48, 55, 85),
        "नमस्ते, मेरा नाम अनन्या है। आज मैं आपको एक पुरानी कहानी सुनाऊँगी।",
    ),
    SystemVoice(
        "Wei",
        "male",
        "adult",
        "GENERAL",
        "Standard Mandarin for every purpose. A synthetic male voice; tones are marked, rhythm is even.",
        _speaks("sit/cmn", "zh-CN", "m6", 160, 50, 60, 85),
        "你好，我是小伟。今天天气很好，我们一起去公园散步吧。",
    ),
    SystemVoice(
        "Layla",
        "female",
        "adult",
        "AUDIOBOOK",
        "Calm Modern Standard Arabic. A synthetic female voice; text with vowel marks is read best.",
        _speaks("sem/ar", "ar-SA", "f3", 145, 45, 50),
        "مَرْحَبًا، اِسْمِي لَيْلَى. سَأَقْرَأُ لَكُمْ كِتَابًا جَمِيلًا هٰذَا الْمَسَاء.",
    ),
    SystemVoice(
        "Hana",
        "female",
        "young",
        "CUSTOMER_SERVICE",
        "Polite Japanese. A light synthetic female voice that reads kana only: write kanji in hiragana or katakana.",
        _speaks("jpx/ja", "ja-JP", "f2", 165, 55, 55),
        "おでんわ ありがとうございます。はなと もうします。きょうは どのような ごようけんでしょうか。",
    ),
)

SYSTEM_VOICES: tuple[SystemVoice, ...] = _ENGLISH + _OTHER_LANGUAGES
"""All system voices; every category has at least one."""
