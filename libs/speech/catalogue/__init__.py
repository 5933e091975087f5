"""The system voices: who they are, how the engine speaks them, and what each says as its preview.

All are formant synthesis by eSpeak NG, clear and plainly synthetic; the descriptions say so where it matters, and say
whose accent is heard where the engine has none for the region.
"""

from __future__ import annotations

from libs.speech.catalogue.english import ENGLISH
from libs.speech.catalogue.other_languages import OTHER_LANGUAGES
from libs.speech.catalogue.voice import SystemVoice

SYSTEM_VOICES: tuple[SystemVoice, ...] = ENGLISH + OTHER_LANGUAGES
"""All system voices; every category has at least one."""
