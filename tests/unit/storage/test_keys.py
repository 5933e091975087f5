"""Whose an object is."""

from __future__ import annotations

from uuid import UUID

import pytest

from services.storage.domain.keys import Audience, ForeignObject, audience_of, require_own

# Fixed: they become names of tests, which have to be the same in every process.
MINE, OTHERS, VOICE = (
    UUID("0197f3a0-0000-7000-8000-00000000000a"),
    UUID("0197f3a0-0000-7000-8000-00000000000b"),
    UUID("0197f3a0-0000-7000-8000-00000000000c"),
)


def test_everybody_may_keep_what_belongs_to_system_voices() -> None:
    assert audience_of(f"voices/system/{VOICE}", MINE) is Audience.EVERYBODY
    assert audience_of("voices/system/en-GB/preview.mp3", MINE) is Audience.EVERYBODY


def test_an_organisation_sees_its_own_voices() -> None:
    assert audience_of(f"voices/orgs/{MINE}/{VOICE}", MINE) is Audience.ORGANIZATION


@pytest.mark.parametrize(
    "key",
    [
        f"voices/orgs/{OTHERS}/{VOICE}",
        f"voices/orgs/{MINE}",
        f"voices/orgs/{MINE}/",
        f"voices/orgs/{MINE}/../{OTHERS}/{VOICE}",
        f"voices/orgs/{MINE}/./{VOICE}",
        f"voices/orgs/{MINE}//{VOICE}",
        f"voices/system/../orgs/{OTHERS}/{VOICE}",
        f"voices/orgs/{MINE}/%2e%2e/{OTHERS}",
        f"voices/orgs/{MINE}/a\0b",
        f"voices/orgs/{MINE}/a b",
        f"voices/orgs/{MINE}/a?b",
        f"voices/orgs/{str(MINE).upper()}/{VOICE}",
        f"generations/orgs/{MINE}/{VOICE}/audio.mp3",
        "voices/system/",
        "voices/system",
        "voices/systems/x",
        "/voices/system/x",
        "",
    ],
)
def test_nothing_else_is_there(key: str) -> None:
    assert audience_of(key, MINE) is None


def test_an_event_may_only_name_objects_of_its_organisation() -> None:
    require_own("generations", MINE, [])
    require_own("generations", MINE, [f"generations/orgs/{MINE}/{VOICE}/a.mp3"])
    for foreign in (
        f"generations/orgs/{OTHERS}/{VOICE}/a.mp3",
        f"voices/orgs/{MINE}/{VOICE}",
        f"generations/orgs/{MINE}/",
    ):
        with pytest.raises(ForeignObject):
            require_own("generations", MINE, [f"generations/orgs/{MINE}/{VOICE}/a.mp3", foreign])
