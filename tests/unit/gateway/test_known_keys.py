from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from services.gateway.adapters import known_keys
from services.gateway.adapters.known_keys import (
    KNOWN_SECONDS,
    TRUSTED_SECONDS,
    UNKNOWN_SECONDS,
    KeyChange,
    KnownKeys,
)
from services.gateway.domain.access import ALL_SCOPES, Credential

FOR_EVER = 1e9
CALLER = Credential(UUID(int=1), UUID(int=2), None, ALL_SCOPES, "free")


class Database:
    """Knows one key, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.now = 0.0
        self.known = {b"valid": CALLER}
        self.away = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def look_up(self, digest: bytes) -> Credential | None:
        self.asked += 1
        await self.may_answer.wait()
        if self.away:
            raise ConnectionRefusedError
        return self.known.get(digest)


@pytest.fixture
async def database() -> Database:
    return Database()


@pytest.fixture
async def keys(database: Database) -> KnownKeys:
    known = KnownKeys(database.look_up, lambda: database.now)
    known.trust(FOR_EVER)
    return known


async def test_a_key_is_looked_up_once_for_a_while(keys: KnownKeys, database: Database) -> None:
    assert [await keys.find(b"valid") for _ in range(3)] == [CALLER] * 3
    assert database.asked == 1
    database.known.clear()
    database.now = KNOWN_SECONDS - 0.1
    assert await keys.find(b"valid") == CALLER
    database.now = KNOWN_SECONDS
    assert await keys.find(b"valid") is None


async def test_a_new_key_is_known_soon(keys: KnownKeys, database: Database) -> None:
    assert await keys.find(b"new") is None
    database.known[b"new"] = CALLER
    assert await keys.find(b"new") is None
    database.now = UNKNOWN_SECONDS
    assert await keys.find(b"new") == CALLER


async def test_many_requests_with_one_key_ask_once(keys: KnownKeys, database: Database) -> None:
    database.may_answer.clear()
    waiting = [asyncio.create_task(keys.find(b"valid")) for _ in range(50)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    database.may_answer.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [CALLER] * 49
    assert database.asked == 1


async def test_an_outage_is_not_remembered(keys: KnownKeys, database: Database) -> None:
    database.away = True
    with pytest.raises(ConnectionRefusedError):
        await keys.find(b"valid")
    database.away = False
    assert await keys.find(b"valid") == CALLER


async def test_only_so_many_are_kept(keys: KnownKeys, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_keys, "MAX_KEYS", 2)
    for digest in (b"valid", b"a", b"valid", b"b"):
        await keys.find(digest)
    asked = database.asked
    await keys.find(b"valid")
    assert database.asked == asked, "the one used last stays"
    await keys.find(b"a")
    assert database.asked == asked + 1


async def test_nothing_remembered_counts_unless_changes_were_looked_at(keys: KnownKeys, database: Database) -> None:
    keys.trust(0.0)
    await keys.find(b"valid")
    database.known.clear()
    database.now = TRUSTED_SECONDS - 0.1
    assert await keys.find(b"valid") == CALLER
    database.now = TRUSTED_SECONDS
    assert await keys.find(b"valid") is None


@pytest.mark.parametrize(
    ("change", "concerned"),
    [
        (KeyChange(UUID(int=1), None, None), True),
        (KeyChange(UUID(int=1), UUID(int=2), None), True),
        (KeyChange(UUID(int=1), None, UUID(int=3)), True),
        (KeyChange(UUID(int=1), UUID(int=9), None), False),
        (KeyChange(UUID(int=1), None, UUID(int=9)), False),
        (KeyChange(UUID(int=9), None, None), False),
    ],
)
async def test_what_was_changed_is_looked_up_anew(
    keys: KnownKeys, database: Database, change: KeyChange, concerned: bool
) -> None:
    database.known[b"valid"] = replace(CALLER, user_id=UUID(int=3))
    await keys.find(b"valid")
    keys.forget([change])
    await keys.find(b"valid")
    assert database.asked == 1 + concerned


async def test_what_is_being_looked_up_when_it_is_changed_is_not_remembered(
    keys: KnownKeys, database: Database
) -> None:
    database.may_answer.clear()
    before = asyncio.create_task(keys.find(b"valid"))
    await asyncio.sleep(0)
    keys.forget([KeyChange(UUID(int=1), UUID(int=2), None)])
    after = asyncio.create_task(keys.find(b"valid"))
    await asyncio.sleep(0)
    database.may_answer.set()
    await asyncio.gather(before, after)
    assert database.asked == 2


async def test_a_key_is_forgotten_when_it_expires(keys: KnownKeys, database: Database) -> None:
    database.known[b"valid"] = replace(CALLER, valid_seconds=3.0)
    await keys.find(b"valid")
    database.known.clear()
    database.now = 2.9
    assert await keys.find(b"valid") is not None
    database.now = 3.0
    assert await keys.find(b"valid") is None
