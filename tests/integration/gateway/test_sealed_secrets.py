"""Secrets of webhooks in the database: sealed from the first, those of earlier releases at the next start."""

from __future__ import annotations

import base64
from uuid import UUID

from sqlalchemy import select, text, update

from libs.database import Database
from services.gateway.adapters.keyring import Keyring
from services.gateway.store.webhooks import webhooks
from services.gateway.usecases.sealing_secrets import seal_some
from tests.integration.gateway.access import Person
from tests.integration.gateway.asking import Api
from tests.integration.gateway.conftest import KEYRING

NEXT = b"the next key".ljust(32)
WANTED = {"url": "https://example.com/hook", "events": ["voice.*"]}


async def _kept(database: Database, org_id: UUID) -> tuple[UUID, bytes, bytes | None]:
    async with database.transaction(org_id) as session:
        row = (await session.execute(select(webhooks.c.id, webhooks.c.secret, webhooks.c.previous_secret))).one()
        return row.id, row.secret, row.previous_secret


def _bytes_of(shown: str) -> bytes:
    return base64.b64decode(shown.removeprefix("whsec_"))


async def test_a_secret_is_sealed_when_it_is_made_and_when_it_is_replaced(
    api: Api, owner: Person, database: Database
) -> None:
    _, made = await api(owner.key, "POST", "/v1/webhooks", WANTED)
    first = _bytes_of(made["secret"])
    _, rotated = await api(owner.key, "POST", f"/v1/webhooks/{made['id']}/rotate-secret")
    second = _bytes_of(rotated["secret"])
    webhook_id, secret, previous = await _kept(database, owner.org_id)
    assert previous is not None
    assert [KEYRING.open(one, owner.org_id, webhook_id) for one in (secret, previous)] == [second, first]
    async with database.transaction(owner.org_id) as session:
        (row,) = (await session.execute(text("select w::text from webhooks w"))).scalars()
    assert first.hex() not in row
    assert second.hex() not in row


async def test_what_lay_there_readable_is_sealed_and_a_new_key_takes_over(
    api: Api, owner: Person, database: Database
) -> None:
    _, made = await api(owner.key, "POST", "/v1/webhooks", WANTED)
    plain = _bytes_of(made["secret"])
    async with database.transaction(owner.org_id) as session:
        await session.execute(update(webhooks).values(secret=plain))
    while await seal_some(database, KEYRING):
        pass
    webhook_id, before, _ = await _kept(database, owner.org_id)
    assert plain not in before
    both = Keyring([NEXT, b"webhook secrets".ljust(32)])
    while await seal_some(database, both):
        pass
    _, after, _ = await _kept(database, owner.org_id)
    assert Keyring([NEXT]).open(after, owner.org_id, webhook_id) == plain
    # Back for the other tests; without any of its keys it stays as it is.
    await seal_some(database, Keyring([b"a third key".ljust(32)]))
    assert (await _kept(database, owner.org_id))[1] == after
    while await seal_some(database, Keyring([b"webhook secrets".ljust(32), NEXT])):
        pass
