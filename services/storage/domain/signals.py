"""The topics of the signals between the processes of the storage service."""

from __future__ import annotations

REMOVED = "audio-removed"
"""Audio is not to be had any more; with its id, or with that of the organisation whose audio is gone."""
