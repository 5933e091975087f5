"""Handing a request over: a service decides about a resource, something else serves its bytes.

The service answers with a header that says what the gateway is to do instead of sending this answer on. Either it names
another service and a path there: the gateway asks that, with an identity made for it. Or it names an object: the answer
has its status and headers already, and the gateway gets its content from the object store. Services never call each
other, and what is large does not pass through them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

HANDOVER_HEADER = "x-antiphon-handover"
TAKES_OBJECTS_HEADER = "x-antiphon-takes-objects"
"""Sent by who asks, if it can get objects by itself."""
OBJECT_HEADER = "x-antiphon-object"


@dataclass(frozen=True, slots=True)
class ObjectPart:
    """What of an object is to be sent: all of its `length` bytes, or so many from `first` on."""

    key: str
    length: int
    first: int | None = None

    @property
    def byte_range(self) -> str | None:
        """Return the value of a `Range` header that asks for it, None for the whole object."""
        return None if self.first is None else f"bytes={self.first}-{self.first + self.length - 1}"

    def written(self) -> str:
        """Return it as a header's value."""
        return f"{'' if self.first is None else self.first}+{self.length} {self.key}"

    @classmethod
    def read(cls, value: str) -> ObjectPart:
        """Return what `written` returned; raises ValueError."""
        part, _, key = value.partition(" ")
        first, _, length = part.partition("+")
        return cls(key, int(length), int(first) if first else None)


def handover(service: str, path: str) -> Response:
    """Return the answer that makes the gateway ask `service` for `path` instead."""
    return Response(headers={HANDOVER_HEADER: f"{service} {path}"})


def object_handover(status: int, headers: Mapping[str, str], part: ObjectPart) -> Response:
    """Return the answer that makes the gateway send `headers`, and `part` of an object behind them."""
    kept = {name: value for name, value in headers.items() if name != "content-length"}
    return Response(status_code=status, headers=kept | {OBJECT_HEADER: part.written()})
