"""What the generation service and its speech workers read from their environment."""

from __future__ import annotations

from pydantic import Field

from libs.service import ResourceSettings, ServiceSettings, usable_cores
from libs.speech.adapters.settings import EngineSettings


class Settings(ResourceSettings):
    """Settings of the service that takes requests."""

    quota_patience_seconds: float = Field(default=8.0, gt=0, le=60)
    queue_interactive_seconds: float = Field(default=60.0, gt=0, le=3600)
    """How many seconds of speaking may wait before an organisation's interactive requests are answered 429."""
    queue_job_seconds: float = Field(default=86_400.0, gt=0)
    """The same for its jobs."""
    retention_free_days: int = Field(default=30, ge=0)
    """For how many days the audio of organisations with this plan is kept after it was last asked for; 0: for good."""
    retention_pro_days: int = Field(default=365, ge=0)
    retention_enterprise_days: int = Field(default=0, ge=0)
    retention_hours: float = Field(default=1.0, gt=0)
    """How often what has been kept for long enough is looked for."""
    sweep_hours: float = Field(default=24.0, gt=0)
    """How often objects are looked for that nothing refers to."""
    sweep_grace_hours: float = Field(default=24.0, ge=1)
    """How old they are before they are taken for left behind."""


class WorkerSettings(ServiceSettings, EngineSettings):
    """Settings of a speech worker: its own, and which engines it has beside the embedded one."""

    engine_processes: int = Field(default_factory=usable_cores, ge=1, le=256)

    @property
    def slots(self) -> int:
        """How much work is spoken at a time: one piece by each engine process, and the next waits beside it."""
        return 2 * self.engine_processes
