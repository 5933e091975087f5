"""What can be found, and what is said of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from services.embedding.domain.cutting import cut

# What the database's column holds.
DIMENSIONS: Final = 384
TITLE_CHARACTERS: Final = 80


class SourceType(StrEnum):
    """What a document was made from. Voices and generations index themselves; the others come from clients."""

    VOICE = "voice"
    GENERATION = "generation"
    CHAT = "chat"
    KNOWLEDGE = "knowledge"
    KNOWLEDGE_LINK = "knowledge_link"
    KNOWLEDGE_FILE = "knowledge_file"
    PORTFOLIO = "portfolio"
    TRAINING_CHAT = "training_chat"
    MANUAL_ENTRY = "manual_entry"
    PORTFOLIO_INSIGHT = "portfolio_insight"


SourceKey = tuple[UUID | None, str, str]
"""Whose a source is, of what type, and its id: what tells it from all others."""


@dataclass(frozen=True, slots=True)
class Source:
    """Something to be found. Of one source the greatest `revision` counts; `org_id` is None for everybody's."""

    org_id: UUID | None
    type: SourceType
    id: str
    revision: int
    title: str
    text: str
    metadata: Mapping[str, str]

    @property
    def key(self) -> SourceKey:
        """What all its revisions have in common."""
        return self.org_id, self.type, self.id


def content_hash(content: str | bytes) -> str:
    """SHA-256 of a file or a text in UTF-8, 64 hexadecimal characters: equal texts are embedded and kept once."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def voice_text(*, name: str, description: str | None, category: str, language: str) -> str:
    """What a voice is found by. `category` is the label people read; `language` a BCP 47 tag such as "en-GB"."""
    spoken = language_name(language)
    lines = [f"{name}: {description}" if description else name, f"{category} voice", f"{spoken} ({language})"]
    return "\n".join(line.strip() for line in lines)


def language_name(tag: str) -> str:
    """English for a BCP 47 tag: "British English" for en-GB; the tag itself where we have no name for it.

    The embedding model knows languages by their names, hardly by their tags.
    """
    language, _, region = tag.replace("_", "-").partition("-")
    name = _LANGUAGES.get(language.lower())
    if name is None:
        return tag
    adjective = _REGIONS.get(region.upper())
    return f"{adjective} {name}" if adjective else name


def title_of(text: str) -> str:
    """The beginning of a text that has no title, in one line of at most TITLE_CHARACTERS."""
    line = " ".join(text[: 4 * TITLE_CHARACTERS].split())
    if len(line) <= TITLE_CHARACTERS:
        return line
    beginning = cut(line, size=TITLE_CHARACTERS - 1, overlap=0)[:1]
    return "".join(f"{piece.content}…" for piece in beginning)


_LANGUAGES: Final = {
    "ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "et": "Estonian", "fa": "Persian", "fi": "Finnish", "fr": "French",
    "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian", "nb": "Norwegian", "nl": "Dutch",
    "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak",
    "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish", "ta": "Tamil", "th": "Thai", "tr": "Turkish",
    "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
_REGIONS: Final = {
    "AU": "Australian", "BR": "Brazilian", "CA": "Canadian", "GB": "British", "IE": "Irish", "IN": "Indian",
    "MX": "Mexican", "NZ": "New Zealand", "US": "American", "ZA": "South African",
}  # fmt: skip
