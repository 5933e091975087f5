"""A request that is to be done once, however often it arrives: what the gateway tells a service about it.

The gateway draws an id for what such a request will make before it asks the service for the first time. Whenever the
request is repeated, the same id comes along, and the service answers with what it has made under it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from libs.ids import new_id, parse_id

RESOURCE_HEADER = "x-antiphon-resource-id"
MADE_HEADER = "x-antiphon-resource-made"


@dataclass(frozen=True, slots=True)
class Once:
    """What a request that is done once is known by.

    `resource_id` is the UUIDv7 of what it makes or, where it makes nothing, of the change. `is_made` says that the
    request was answered before: a service that finds nothing under the id has deleted it since, and makes it no more.
    """

    resource_id: UUID
    is_made: bool = False

    def part(self, number: int) -> Once:
        """Return what one of several changes that a request makes is known by; the first, 0, by the request's id."""
        if number == 0:
            return self
        drawn = hashlib.sha256(self.resource_id.bytes + number.to_bytes(4, "big")).digest()
        # Still a UUIDv7 of the same millisecond.
        time_and_version = self.resource_id.bytes[:6] + bytes((0x70 | drawn[0] & 0x0F, drawn[1]))
        return Once(UUID(bytes=time_and_version + bytes((0x80 | drawn[2] & 0x3F,)) + drawn[3:10]), self.is_made)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """What tells a service about it."""
        told = [(RESOURCE_HEADER, str(self.resource_id))]
        return [*told, (MADE_HEADER, "true")] if self.is_made else told


def id_for(once: Once | None) -> UUID:
    """Return the id for what a request makes: the one that was drawn for it, or a new one."""
    return new_id() if once is None else once.resource_id


async def _once(request: Request) -> Once | None:
    resource_id = parse_id(request.headers.get(RESOURCE_HEADER, ""))
    return None if resource_id is None else Once(resource_id, is_made=MADE_HEADER in request.headers)


OnceOf = Annotated[Once | None, Depends(_once)]
"""A route's parameter: by what the request is known if it is to be done once; no client can send that."""
