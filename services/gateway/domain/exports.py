"""Exports: all that there is of an organisation, or of one of its people, and how far each service is with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.gateway.domain.erasures import GATEWAY
from services.gateway.domain.erasures import SERVICES as ASKED

SERVICES = ASKED | {GATEWAY}
"""Those that write a part."""
KEPT = timedelta(days=7)
"""How long the files of an export are there."""
ALONE = timedelta(hours=1)
"""How long one that is not ready keeps another one of the same from being begun."""

Status = Literal["running", "completed", "failed", "expired"]


class ExportNotFound(Exception):
    """There is no export with that id."""


class ExportRunning(Exception):
    """The same is being exported at the moment."""

    def __init__(self, export_id: UUID) -> None:
        super().__init__(str(export_id))
        self.export_id = export_id


class ExportNotReady(Exception):
    """Some service has not answered yet."""


class ExportExpired(Exception):
    """The files are gone."""


@dataclass(frozen=True, slots=True)
class Files:
    """The files that a part takes along: where their list is, how many they are, and how many were left out; bytes."""

    list_key: str | None = None
    count: int = 0
    size_bytes: int = 0
    left_out: int = 0
    left_out_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """What a service says: rows by table and the file that it wrote, if any; or the kind of `error` that kept it."""

    service: str
    counts: Mapping[str, int]
    object_key: str | None
    sha256: str | None
    size_bytes: int
    error: str | None
    tries: int
    exported_at: datetime
    files: Files = Files()


@dataclass(frozen=True, slots=True)
class Export:
    """That somebody wants all there is of an organisation, or of the person `user_id`, and how far it is."""

    id: UUID
    user_id: UUID | None
    requested_at: datetime
    expires_at: datetime
    parts: Sequence[Part] = ()
    include_audio: bool = False

    @property
    def waits_for(self) -> Sequence[str]:
        """Return the services that have not answered."""
        return sorted(SERVICES - {part.service for part in self.parts})

    def status(self, now: datetime) -> Status:
        """Return how far it is; failed if any service gave up: what the others wrote can be downloaded all the same."""
        if now >= self.expires_at:
            return "expired"
        if self.waits_for:
            return "running"
        return "failed" if self.failed else "completed"

    @property
    def failed(self) -> Sequence[str]:
        """Return the services that gave up."""
        return sorted(part.service for part in self.parts if part.error)

    def files(self, now: datetime) -> Sequence[Part]:
        """Return the parts that have a file. Raises ExportExpired, ExportNotReady."""
        status = self.status(now)
        if status == "expired":
            raise ExportExpired
        if status == "running":
            raise ExportNotReady
        return sorted((part for part in self.parts if part.object_key), key=lambda part: part.service)
