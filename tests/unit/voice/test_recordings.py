from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.ids import new_id
from services.voice.domain import Heard, Sample
from services.voice.domain.recordings import (
    REFERENCE_SECONDS,
    content_type,
    examined_sample,
    judge_all,
    matchable,
    reasons_against,
)
from tests.unit.voice.reports import report


def sample(**changes: object) -> Sample:
    made = Sample(new_id(), new_id(), new_id(), "voices/orgs/x/y/z", 0, "audio/wav", 10, "0" * 64)
    return replace(made, **changes)  # type: ignore[arg-type]  # each test names fields of the right types


def test_good_recordings_together_make_a_voice() -> None:
    heard = [Heard(sample(), report(speech_seconds=6.0)) for _ in range(2)]
    judgement = judge_all(heard)
    assert judgement.reasons == []
    assert judgement.quality["speech_seconds"] == 12.0
    assert (judgement.quality["files"], judgement.quality["decoded_seconds"]) == (2, 40.0)
    [warning] = judgement.quality["warnings"]
    assert (warning["code"], warning["sample_id"]) == ("little_speech", None)


def test_too_little_speech_is_told_with_what_was_measured() -> None:
    [reason] = judge_all([Heard(sample(), report(speech_seconds=4.25, speech_share=0.8))]).reasons
    assert reason == {
        "code": "too_little_speech",
        "message": "4.2 s of speech; at least 10 s are needed",
        "sample_id": None,
    }


def test_a_reason_names_the_recording_that_it_is_about() -> None:
    heard = [Heard(sample(), report()), Heard(sample(), report(clipped_share=0.05))]
    [reason] = judge_all(heard).reasons
    assert (reason["code"], reason["sample_id"]) == ("clipping", str(heard[1].sample.id))
    assert reason["message"].startswith("file 2: 5.0 % of it is clipped")


def test_recordings_that_cannot_be_decoded_are_each_a_reason() -> None:
    heard = [Heard(sample(), None, "there is no audio in the file"), Heard(sample(), report())]
    judgement = judge_all(heard)
    assert judgement.reasons == [
        {
            "code": "not_decoded",
            "message": "file 1: there is no audio in the file",
            "sample_id": str(heard[0].sample.id),
        }
    ]
    assert judgement.quality["speech_seconds"] == 15.0
    [alone] = judge_all(heard[:1]).reasons
    assert alone["message"] == "there is no audio in the file"


def test_what_was_found_is_kept_with_the_recording() -> None:
    found = report()
    kept = examined_sample(Heard(sample(), found))
    assert (kept["duration_seconds"], kept["sample_rate"], kept["channels"]) == (20.0, 24_000, 1)
    assert kept["report"] == asdict(found)
    assert examined_sample(Heard(sample(), None, "why")) == {"problem": "why"}


def test_without_a_recording_the_others_have_to_be_enough() -> None:
    enough, short = sample(report=asdict(report())), sample(report=asdict(report(speech_seconds=9.0)))
    assert reasons_against([enough]) == []
    assert reasons_against([short]) == ["9.0 s of speech; at least 10 s are needed"]
    assert reasons_against([enough, short]) == []
    assert reasons_against([sample()]) == []


def test_every_recording_has_its_share_of_the_reference_without_the_silence_before() -> None:
    pcm = bytes(range(256)) * 1000
    taken = matchable(pcm, report(leading_silence_seconds=0.5), 1_000, files=1)
    assert taken == pcm[1_000 : 1_000 + int(REFERENCE_SECONDS) * 2_000]
    assert len(matchable(pcm, report(leading_silence_seconds=0.0), 1_000, files=8)) == 15_000
    assert matchable(pcm, report(leading_silence_seconds=1e6), 1_000, files=1) == b""


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"RIFF....WAVE", "audio/wav"),
        (b"....ftypM4A ", "audio/mp4"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (b"fLaC", "audio/flac"),
        (b"OggS", "audio/ogg"),
        (b"\x1a\x45\xdf\xa3", "audio/webm"),
        (b"<script>", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_media_types_are_told_by_the_first_bytes(content: bytes, kind: str) -> None:
    assert content_type(content) == kind


@given(st.binary(max_size=40))
def test_no_file_is_served_as_anything_that_a_browser_runs(content: bytes) -> None:
    assert content_type(content).startswith("audio/") or content_type(content) == "application/octet-stream"
