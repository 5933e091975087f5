"""What the storage service reads from its environment."""

from __future__ import annotations

from libs.service import ResourceSettings


class Settings(ResourceSettings):
    """Settings of the storage service: those that every service has."""
