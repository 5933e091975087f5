"""What is remembered of answers, for how long, and what makes it forgotten."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from libs.ids import new_id
from services.storage.adapters import known_tracks
from services.storage.adapters.known_tracks import TRUST_SECONDS, KnownTrack, KnownTracks
from services.storage.domain.delivery import Representation


class Told:
    """Whom the others were told of, and what time it is."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.seconds = 100.0

    async def tell(self, gone: str) -> None:
        self.ids.append(gone)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def known(told: Told) -> KnownTracks:
    return KnownTracks(told.tell, clock=lambda: told.seconds)


ORG, OTHER = new_id(), new_id()


def track(audio_id: UUID | None = None) -> KnownTrack:
    return KnownTrack(audio_id or new_id(), "key", Representation(1, '"a"', datetime(2026, 1, 1, tzinfo=UTC)), (), ())


def test_what_one_organisation_was_answered_is_no_others(known: KnownTracks) -> None:
    one = track()
    known.keep(ORG, "/a", one, known.state)
    assert known.get(ORG, "/a") == one
    assert known.get(OTHER, "/a") is None
    assert known.get(ORG, "/b") is None


def test_it_is_believed_for_a_moment(known: KnownTracks, told: Told) -> None:
    known.keep(ORG, "/a", track(), known.state)
    told.seconds += TRUST_SECONDS
    assert known.get(ORG, "/a") is not None
    told.seconds += 0.1
    assert known.get(ORG, "/a") is None


async def test_what_is_removed_is_forgotten_under_every_path_and_told(known: KnownTracks, told: Told) -> None:
    one, other = track(), track()
    for path in ("/a", "/b"):
        known.keep(ORG, path, one, known.state)
    known.keep(ORG, "/c", other, known.state)
    await known.removed(one.audio_id)
    assert [known.get(ORG, path) for path in ("/a", "/b", "/c")] == [None, None, other]
    assert told.ids == [str(one.audio_id)]


async def test_with_an_organisation_goes_all_of_it(known: KnownTracks) -> None:
    for org_id in (ORG, OTHER):
        known.keep(org_id, "/a", track(), known.state)
        known.keep(org_id, "/b", track(), known.state)
    await known.removed(ORG)
    assert [known.get(ORG, path) for path in ("/a", "/b")] == [None, None]
    assert known.get(OTHER, "/a") is not None


async def test_an_answer_that_began_before_a_removal_is_not_remembered_after_it(known: KnownTracks) -> None:
    one = track()
    state = known.state
    await known.removed(one.audio_id)
    known.keep(ORG, "/a", one, state)
    assert known.get(ORG, "/a") is None


def test_what_could_not_be_heard_may_have_been_anything(known: KnownTracks) -> None:
    state = known.state
    known.keep(ORG, "/a", track(), state)
    known.forget_all()
    known.keep(ORG, "/b", track(), state)
    assert [known.get(ORG, path) for path in ("/a", "/b")] == [None, None]


def test_no_more_is_remembered_than_there_is_room_for(known: KnownTracks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_tracks, "MOST_KNOWN", 3)
    for number in range(5):
        known.keep(ORG, f"/{number}", track(), known.state)
    assert [known.get(ORG, f"/{number}") is not None for number in range(5)] == [False, False, True, True, True]
