"""What a system voice is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID, uuid5

from libs.speech.engine import VoiceProfile

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


def speaks(
    engine_voice: str,
    language: str,
    variant: str,
    rate: int,
    pitch: int = 50,
    pitch_range: int = 50,
    volume: int = 100,
    word_gap: int = 0,
) -> VoiceProfile:
    """Return how eSpeak NG speaks a voice: words a minute, and its own numbers, of which most go from 0 to 100."""
    return VoiceProfile(engine_voice, language, rate, pitch, pitch_range, variant, volume, word_gap)
