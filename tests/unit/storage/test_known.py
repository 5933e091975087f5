"""What is remembered of answers, for how long, and what makes it forgotten."""

from __future__ import annotations

from uuid import UUID

import pytest

from libs.ids import new_id
from libs.web import known as known_answers
from libs.web.known import TRUST_SECONDS, Known


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
def known(told: Told) -> Known[str]:
    return Known[str](told.tell, clock=lambda: told.seconds)


ORG, OTHER = new_id(), new_id()


def keep(known: Known[str], org_id: UUID, path: str, of: UUID | None = None) -> None:
    known.keep(org_id, path, path, of=of or new_id(), state=known.state)


def test_what_one_organisation_was_answered_is_no_others(known: Known[str]) -> None:
    keep(known, ORG, "/a")
    assert known.get(ORG, "/a") == "/a"
    assert known.get(OTHER, "/a") is None
    assert known.get(ORG, "/b") is None


def test_it_is_believed_for_a_moment(known: Known[str], told: Told) -> None:
    keep(known, ORG, "/a")
    told.seconds += TRUST_SECONDS
    assert known.get(ORG, "/a") is not None
    told.seconds += 0.1
    assert known.get(ORG, "/a") is None


async def test_what_is_removed_is_forgotten_under_every_path_and_told(known: Known[str], told: Told) -> None:
    one = new_id()
    for path in ("/a", "/b"):
        keep(known, ORG, path, one)
    keep(known, ORG, "/c")
    await known.removed(one)
    assert [known.get(ORG, path) for path in ("/a", "/b", "/c")] == [None, None, "/c"]
    assert told.ids == [str(one)]


async def test_with_an_organisation_goes_all_of_it(known: Known[str]) -> None:
    for org_id in (ORG, OTHER):
        keep(known, org_id, "/a")
        keep(known, org_id, "/b")
    await known.removed(ORG)
    assert [known.get(ORG, path) for path in ("/a", "/b")] == [None, None]
    assert known.get(OTHER, "/a") is not None


async def test_an_answer_that_began_before_a_removal_is_not_remembered_after_it(known: Known[str]) -> None:
    one = new_id()
    state = known.state
    await known.removed(one)
    known.keep(ORG, "/a", "/a", of=one, state=state)
    assert known.get(ORG, "/a") is None


def test_what_could_not_be_heard_may_have_been_anything(known: Known[str]) -> None:
    state = known.state
    known.keep(ORG, "/a", "/a", of=new_id(), state=state)
    known.forget_all()
    known.keep(ORG, "/b", "/b", of=new_id(), state=state)
    assert [known.get(ORG, path) for path in ("/a", "/b")] == [None, None]


def test_no_more_is_remembered_than_there_is_room_for(known: Known[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_answers, "MOST_KNOWN", 3)
    for number in range(5):
        keep(known, ORG, f"/{number}")
    assert [known.get(ORG, f"/{number}") is not None for number in range(5)] == [False, False, True, True, True]
