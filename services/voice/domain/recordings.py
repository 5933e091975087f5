"""The recordings of a custom voice, and what comes of examining them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from libs.audio.quality import Finding, QualityReport, judge

REFERENCE_SECONDS = 60.0
"""How much of the recordings is matched; what `libs.speech.timbre` measures at most."""

MATCHED, PLAIN = "timbre-matched", "plain"

_SAMPLE_BYTES = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """A recording of a custom voice, as it lies in the object store. `position` counts from 0.

    `report` has the fields of QualityReport once it was examined, `problem` why it could not be decoded.
    """

    id: UUID
    voice_id: UUID
    org_id: UUID
    object_key: str
    position: int
    content_type: str
    size_bytes: int
    sha256: str
    duration_seconds: float | None = None
    sample_rate: int | None = None
    channels: int | None = None
    report: Mapping[str, Any] | None = None  # Any: JSON
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """One recording after it was examined: its report, or the problem for which there is none."""

    sample: Sample
    report: QualityReport | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found of all recordings together, ready for clients. No reasons: a voice can be made of them."""

    reasons: list[dict[str, Any]]  # Any: JSON
    quality: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reference:
    """What a voice is matched to: mono PCM of 16 bits, and the language that it speaks."""

    pcm: bytes
    sample_rate: int
    language: str


@dataclass(frozen=True, slots=True)
class Matched:
    """How an engine speaks like a reference, what that was measured to bring, and an MP3 of it."""

    engine_settings: dict[str, Any]  # Any: the engine's own
    report: dict[str, Any]  # Any: JSON
    preview: bytes


class MatchingFailed(Exception):
    """No voice could be matched; the message says why, for the client."""


def judge_all(heard: Sequence[Heard]) -> Judgement:
    """Apply the rules for reference audio to all recordings of a voice together."""
    reports = [one.report for one in heard if one.report is not None]
    quality: dict[str, Any] = {
        "files": len(heard),
        "decoded_seconds": round(sum(report.decoded_seconds for report in reports), 3),
        "speech_seconds": round(sum(report.speech_seconds for report in reports), 3),
        "warnings": [],
    }
    unread = [
        _told(Finding("not_decoded", _of_file(one.problem, number, len(heard)), number), heard)
        for number, one in enumerate(heard)
        if one.problem is not None
    ]
    if unread:
        # The rules count files from the first, and one that is missing makes the others too few.
        return Judgement(unread, quality)
    verdict = judge(reports)
    quality["warnings"] = [_told(finding, heard) for finding in verdict.warnings]
    return Judgement([_told(finding, heard) for finding in verdict.reasons], quality)


def _of_file(message: str, number: int, files: int) -> str:
    return f"file {number + 1}: {message}" if files > 1 else message


def _told(finding: Finding, heard: Sequence[Heard]) -> dict[str, Any]:
    sample_id = None if finding.file is None else str(heard[finding.file].sample.id)
    return {"code": finding.code, "message": finding.message, "sample_id": sample_id}


def reasons_against(samples: Sequence[Sample]) -> list[str]:
    """Return why no voice could be made of recordings that were examined before; nothing for those that were not."""
    reports = [QualityReport(**sample.report) for sample in samples if sample.report is not None]
    return [finding.message for finding in judge(reports).reasons] if reports else []


def matchable(pcm: bytes, report: QualityReport, sample_rate: int, *, files: int) -> bytes:
    """Return one recording's share of what is matched: its beginning, without the silence before."""
    begin = int(report.leading_silence_seconds * sample_rate) * _SAMPLE_BYTES
    return pcm[begin : begin + int(REFERENCE_SECONDS / files * sample_rate) * _SAMPLE_BYTES]


def examined_sample(heard: Heard) -> dict[str, Any]:
    """Return what examining a recording changes of it."""
    if heard.report is None:
        return {"problem": heard.problem}
    return {
        "duration_seconds": heard.report.decoded_seconds,
        "sample_rate": heard.report.sample_rate,
        "channels": heard.report.channels,
        "report": asdict(heard.report),
        "problem": None,
    }


_BEGINNINGS = (
    (0, b"RIFF", "audio/wav"),
    (0, b"fLaC", "audio/flac"),
    (0, b"OggS", "audio/ogg"),
    (0, b"\x1a\x45\xdf\xa3", "audio/webm"),
    (4, b"ftyp", "audio/mp4"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xf1", "audio/aac"),
    (0, b"\xff\xf9", "audio/aac"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"\xff\xf2", "audio/mpeg"),
)


def content_type(content: bytes) -> str:
    """Return the media type that a file is served with, by its first bytes: what a client said of it is not repeated.

    Nothing is decided by it; whether the file is audio is found out by decoding it.
    """
    for at, beginning, kind in _BEGINNINGS:
        if content.startswith(beginning, at):
            return kind
    return "application/octet-stream"
