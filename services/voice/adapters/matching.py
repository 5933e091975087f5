"""Matching, from outside: one process for each voice."""

from __future__ import annotations

from services.voice.adapters.engine_child import ChildFailed, ChildLimits, ChildTookTooLong, ask_child
from services.voice.domain import Matched, MatchingFailed, Reference

_MODULE = "services.voice.adapters.matching_process"
LIMITS = ChildLimits(wall_seconds=180.0, cpu_seconds=90)
"""A minute of reference takes some 15 s of CPU and 300 MB."""


async def match_timbre(reference: Reference, *, limits: ChildLimits = LIMITS) -> Matched:
    """Find how eSpeak NG comes nearest to a voice. Cancelling the call ends the work. Raises MatchingFailed."""
    header = {"sample_rate": reference.sample_rate, "language": reference.language}
    try:
        found, preview = await ask_child(_MODULE, header, reference.pcm, limits)
    except ChildTookTooLong as failure:
        raise MatchingFailed(f"matching: {failure}") from failure
    except ChildFailed as failure:
        raise MatchingFailed(f"matching: {failure}; the voice is spoken plainly") from failure
    if "failed" in found:
        raise MatchingFailed(found["failed"])
    return Matched(found["engine_settings"], found["report"], preview)
