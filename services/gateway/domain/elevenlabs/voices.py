"""Our voices as ElevenLabs' clients see them, and their ways of searching and sorting."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from services.gateway.domain.failures import InvalidField

Voice = Mapping[str, Any]  # Any: JSON of the voice service
Sort = Literal["name", "created_at_unix"]

USUAL_SETTINGS: Mapping[str, object] = {
    "stability": 0.5,
    "similarity_boost": 0.75,
    "style": 0.0,
    "use_speaker_boost": True,
    "speed": 1.0,
}
"""What their clients expect to find; ours speak by `speed` alone."""
_TYPES = {"premade": "SYSTEM", "cloned": "CUSTOM"}
_PERSONAL = ("personal", "non-default", "non-community", "workspace", "saved")
"""Their types of voices that are here an organisation's own."""
_SHARED = ("default", "community")


def settings_of(voice: Voice) -> dict[str, object]:
    """Return a voice's settings in their words."""
    return {**USUAL_SETTINGS, "speed": voice["settings"]["speed"]}


def unix_seconds(moment: str) -> int:
    """Return a moment as our JSON writes it as seconds since 1970."""
    return int(datetime.fromisoformat(moment).timestamp())


def voice_view(voice: Voice, base_url: str, samples: Sequence[Voice] = ()) -> dict[str, Any]:  # Any: JSON
    """Return a voice in their words; `samples` are its recordings. Its preview needs the key as all else does."""
    own = voice["variant"] == "CUSTOM"
    language, _, region = str(voice["language"]).partition("-")
    labels = {"language": language, "use_case": str(voice["category"]).lower()}
    if region:
        labels["locale"] = voice["language"]
    return {
        "voice_id": voice["id"],
        "name": voice["name"],
        "samples": [sample_view(sample) for sample in samples] if own else None,
        "category": "cloned" if own else "premade",
        "fine_tuning": {"is_allowed_to_fine_tune": False, "state": {}, "language": voice["language"]},
        "labels": labels,
        "description": voice["description"],
        "preview_url": base_url + voice["preview_url"] if voice["preview_url"] else None,
        "available_for_tiers": [],
        "settings": settings_of(voice),
        "sharing": None,
        "high_quality_base_model_ids": [voice["engine"]],
        "verified_languages": [],
        "safety_control": None,
        "voice_verification": {
            "requires_verification": False,
            "is_verified": True,
            "verification_failures": [],
            "verification_attempts_count": 0,
        },
        "permission_on_resource": "admin" if own else None,
        "is_owner": own,
        "is_legacy": False,
        "is_mixed": False,
        "created_at_unix": unix_seconds(voice["created_at"]),
    }


def sample_view(sample: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """Return a recording in their words."""
    return {
        "sample_id": sample["id"],
        "file_name": f"{sample['id']}",
        "mime_type": sample["content_type"],
        "size_bytes": sample["size_bytes"],
        "hash": sample["sha256"],
        "duration_secs": sample["duration_seconds"],
    }


@dataclass(frozen=True, slots=True)
class Search:
    """Which voices are wanted, in which order, from where on."""

    category: str | None = None
    voice_type: str | None = None
    languages: Sequence[str] = ()
    voice_ids: Sequence[str] = ()
    sort: Sort = "created_at_unix"
    descending: bool = True
    page_size: int = 10
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One page of the voices that were wanted, and how many there are in all."""

    voices: Sequence[Voice] = field(default_factory=list)
    total: int = 0
    next_page_token: str | None = None


def select(voices: Iterable[Voice], search: Search) -> Found:
    """Return a page of what `search` wants of `voices`; raises InvalidField for a token that is none."""
    wanted = sorted((one for one in voices if _is_wanted(one, search)), key=lambda one: _key(one, search))
    if search.descending:
        wanted.reverse()
    after = _read(search.token) if search.token else None
    rest = wanted if after is None else [one for one in wanted if _is_behind(_key(one, search), after, search)]
    page = rest[: search.page_size]
    more = len(rest) > len(page)
    return Found(page, len(wanted), _written(_key(page[-1], search)) if more else None)


def _is_wanted(voice: Voice, search: Search) -> bool:
    own = voice["variant"] == "CUSTOM"
    if search.category is not None and _TYPES.get(search.category) != voice["variant"]:
        return False
    if search.voice_type in _PERSONAL and not own:
        return False
    if search.voice_type in _SHARED and own:
        return False
    tag = str(voice["language"]).lower()
    if search.languages and not any(
        tag == one.lower() or tag.startswith(f"{one.lower()}-") for one in search.languages
    ):
        return False
    return not search.voice_ids or voice["id"] in search.voice_ids


def _key(voice: Voice, search: Search) -> tuple[str, str]:
    first = voice["name"].casefold() if search.sort == "name" else voice["created_at"]
    return str(first), str(voice["id"])


def _is_behind(key: tuple[str, str], after: tuple[str, str], search: Search) -> bool:
    return key < after if search.descending else key > after


def _written(key: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _read(token: str) -> tuple[str, str]:
    try:
        first, second = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, TypeError, binascii.Error) as error:
        raise InvalidField("next_page_token", "is none of this list; leave it out to start over") from error
    if not (isinstance(first, str) and isinstance(second, str)):
        raise InvalidField("next_page_token", "is none of this list; leave it out to start over")
    return first, second


def labels_of(text: str | None) -> dict[str, str]:
    """Return the labels that a form gives, as JSON; a field left out arrives as the text `null`.

    Raises InvalidField for what is no object of texts.
    """
    if text is None or not text.strip():
        return {}
    try:
        labels = json.loads(text)
    except ValueError as error:
        raise InvalidField("labels", 'is to be a JSON object of texts, such as {"language": "en"}') from error
    if labels is None:
        return {}
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise InvalidField("labels", 'is to be a JSON object of texts, such as {"language": "en"}')
    return labels


def changes_of(labels: Mapping[str, str], categories: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Return what labels change of one of our voices, and those that mean nothing here."""
    known = {one.lower(): one for one in categories}
    changes: dict[str, str] = {}
    ignored = []
    for name, value in labels.items():
        category = known.get(value.lower().replace(" ", "_").replace("-", "_"))
        if (name == "language" and "locale" not in labels and value) or (name == "locale" and value):
            changes["language"] = value
        elif name == "use_case" and category:
            changes["category"] = category
        else:
            ignored.append(f"labels.{name}" if name.isascii() and name.isidentifier() else "labels")
    return changes, sorted(set(ignored))
