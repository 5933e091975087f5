"""Examining voices as the worker does, one event at a time, with as much of it real as a test needs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import text

from libs.audio.intake import Examined
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceSubmitted
from libs.contracts.registry import event_type
from libs.database import Database
from libs.messaging import Delivery
from libs.speech.engine import VoiceProfile
from services.voice.domain import Matched, Reference
from services.voice.usecases import Deps, Workshop
from services.voice.usecases.deps import Examine, Match
from tests.unit.voice.reports import report

FIT = {"pitch_error_semitones": 3.0, "spectral_distance_db": 8.0, "formant_error_percent": 9.0}
CLOSER = {"pitch_error_semitones": 0.2, "spectral_distance_db": 2.5, "formant_error_percent": 4.0}
REPORT: dict[str, Any] = {
    "before": FIT | {"speaking_rate_ratio": 1.2},
    "after": CLOSER | {"speaking_rate_ratio": 1.0},
    "steps": ["variant", "pitch", "spectral_transfer"],
}
MATCHED = VoiceProfile("gmw/en-US", "en-US", variant="m3", pitch=40, transform={"gain_db": 1.5}).to_settings()
PREVIEW = b"ID3 an mp3"


async def found_good(_content: bytes) -> Examined:
    """Examines any file as 15 s of good speech."""
    return Examined(report(), bytes(48_000))


async def matched(reference: Reference) -> Matched:
    """Matches any reference."""
    return Matched(MATCHED | {"language": reference.language}, REPORT, PREVIEW)


def workshop(deps: Deps, examine: Examine = found_good, match: Match = matched) -> Workshop:
    return Workshop(deps.database, deps.objects, deps.clock, examine, match)


async def submissions(database: Database, org_id: UUID, voice_id: str) -> list[Delivery[VoiceSubmitted]]:
    """What the worker gets of a voice, in order."""
    statement = text("select event_id, payload from outbox where type_name = :name and org_id = :org order by seq")
    async with database.transaction() as session:
        rows = await session.execute(statement, {"name": event_type(VoiceSubmitted).name, "org": org_id})
        found = [(row.event_id, VoiceSubmitted.FromString(row.payload)) for row in rows]
    return [Delivery(event, str(event_id), 1) for event_id, event in found if event.voice_id == voice_id]
