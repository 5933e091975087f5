"""What the generation service and its speech workers read from their environment."""

from __future__ import annotations

import os

from pydantic import Field

from libs.service import ResourceSettings, ServiceSettings


class Settings(ResourceSettings):
    """Settings of the service that takes requests."""

    quota_patience_seconds: float = Field(default=8.0, gt=0, le=60)


class WorkerSettings(ServiceSettings):
    """Settings of a speech worker."""

    engine_processes: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
