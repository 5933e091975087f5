"""Erasing an organisation: who may ask for it, which services take part, and when it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args
from uuid import UUID

from services.gateway.domain.routes import Service

GATEWAY = "gateway"
SERVICES: frozenset[str] = frozenset(get_args(Service))
"""Those that are asked by event; the gateway erases its own at once."""
ROUNDS = 2
"""The second finds what was on its way in the first."""


class ErasureNotFound(Exception):
    """There is no erasure with that id."""


class NotConfirmed(Exception):
    """The name that is to confirm the erasure is not that of the organisation."""


class OperatorStays(Exception):
    """The installation's first organisation is the operator's, and is not erased."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a service has deleted in a round: how many rows of each table, and how many objects."""

    service: str
    round: int
    counts: Mapping[str, int]
    erased_at: datetime


@dataclass(frozen=True, slots=True)
class Erasure:
    """That an organisation is deleted, and how far it is."""

    id: UUID
    requested_at: datetime
    completed_at: datetime | None
    reports: Sequence[Report]


def waited_for(reports: Sequence[Report], of_round: int) -> frozenset[str]:
    """Return the services that have not answered in a round."""
    return SERVICES - {report.service for report in reports if report.round == of_round}
