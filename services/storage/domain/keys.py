"""Whose an object is, as its key says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from uuid import UUID

_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


class ForeignObject(Exception):
    """An event names an object that does not belong to its organisation."""


class Audience(Enum):
    """Who may keep a copy of an object."""

    EVERYBODY = "everybody"
    ORGANIZATION = "organization"


def audience_of(key: str, org_id: UUID) -> Audience | None:
    """Return for whom the voice's object under `key` is, as far as `org_id` may see it; else None."""
    if not all(_SEGMENT.fullmatch(segment) for segment in key.split("/")):
        return None
    if key.startswith("voices/system/"):
        return Audience.EVERYBODY
    if key.startswith(f"voices/orgs/{org_id}/"):
        return Audience.ORGANIZATION
    return None


def require_own(kind: str, org_id: UUID, keys: Iterable[str]) -> None:
    """Raise ForeignObject unless every key is one of `org_id`'s objects of this kind (generations, voices)."""
    prefix = f"{kind}/orgs/{org_id}/"
    if not all(key.startswith(prefix) and key != prefix for key in keys):
        raise ForeignObject(f"an object key is not under the organisation's {kind}")


def organization_prefixes(org_id: UUID) -> tuple[str, ...]:
    """Return what the keys of all of an organisation's objects begin with."""
    return tuple(f"{kind}/orgs/{org_id}/" for kind in ("exports", "generations", "media", "quarantine", "voices"))
