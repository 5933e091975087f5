"""The world outside the generation service: quotas, and news from other processes."""

from __future__ import annotations

from services.generation.adapters.finishes import Finishes, note_finished, tell_of_audio
from services.generation.adapters.progress import Following, Progress
from services.generation.adapters.quota import Quota
from services.generation.adapters.system_voices import SystemVoices

__all__ = ["Finishes", "Following", "Progress", "Quota", "SystemVoices", "note_finished", "tell_of_audio"]
