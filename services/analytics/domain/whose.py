"""Who used something and for what, and how much."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Whose:
    """Who used something and for what; None where that is not known, or the user of an organisation's own key."""

    voice_id: UUID | None = None
    key_id: UUID | None = None
    user_id: UUID | None = None
    format: str | None = None

    @property
    def order(self) -> tuple[str, ...]:
        """What can be compared, to bring them into one order."""
        return tuple(str(getattr(self, one.name) or "") for one in fields(self))


@dataclass(frozen=True, slots=True)
class Use:
    """How much was used."""

    characters: Decimal = Decimal(0)
    audio_seconds: Decimal = Decimal(0)
    generations: int = 0
    characters_cached: Decimal = Decimal(0)

    def __add__(self, other: Use) -> Use:
        """Return both together."""
        return Use(
            self.characters + other.characters,
            self.audio_seconds + other.audio_seconds,
            self.generations + other.generations,
            self.characters_cached + other.characters_cached,
        )
