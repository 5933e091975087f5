"""What the voice service reads from its environment."""

from __future__ import annotations

from libs.service import ResourceSettings


class Settings(ResourceSettings):
    """What every service reads; this one needs nothing more."""
