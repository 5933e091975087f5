"""The ids and keys that events carry."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from libs.ids import parse_id
from libs.messaging import Permanent
from services.storage.domain.keys import ForeignObject, require_own


def id_of(text: str) -> UUID:
    """Return the id that an event carries. Raises Permanent for what is none."""
    parsed = parse_id(text)
    if parsed is None:
        raise Permanent("the event carries an id that is not a UUID")
    return parsed


def own_only(kind: str, org_id: UUID, keys: Iterable[str]) -> None:
    """Raise Permanent unless every key is one of the organisation's objects of this kind."""
    try:
        require_own(kind, org_id, keys)
    except ForeignObject as error:
        raise Permanent(str(error)) from error
