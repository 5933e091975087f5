"""Organisations and what they are allowed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

Plan = Literal["free", "pro", "enterprise"]

_NAMESPACE = UUID("6a1f7c3e-52d8-5b0a-9c4e-2f0d1b8a7e63")
FIRST_ORGANIZATION_ID = uuid5(_NAMESPACE, "organization/default")
"""The same for every replica, so that only one of them creates it."""
FIRST_ORGANIZATION_NAME = "Default"
FIRST_ORGANIZATION_PLAN: Plan = "enterprise"


@dataclass(frozen=True, slots=True)
class Organization:
    """A tenant."""

    id: UUID
    name: str
    plan: Plan
    created_at: datetime
