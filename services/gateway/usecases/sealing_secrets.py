"""Sealing the secrets of webhooks that are not, or under an older key: whoever replaces the key has only to wait."""

from __future__ import annotations

import asyncio
import logging

from libs.database import Database, is_database_away
from services.gateway.adapters.keyring import KeyMissing, Keyring
from services.gateway.store import webhook_secrets as store

logger = logging.getLogger(__name__)

LOOK_SECONDS = 3600.0
AT_ONCE = 100


async def seal_secrets(database: Database, keyring: Keyring) -> None:
    """Seal what is to be sealed, now and from time to time, until cancelled."""
    while True:
        try:
            while await seal_some(database, keyring):
                pass
        except Exception as error:
            if not is_database_away(error):
                raise
            logger.warning("secrets are not sealed yet", extra={"error": type(error).__name__})
        await asyncio.sleep(LOOK_SECONDS)


async def seal_some(database: Database, keyring: Keyring) -> int:
    """Seal some secrets anew under the newest key; return how many webhooks it was."""
    async with database.transaction() as session:
        found = await store.list_to_seal(session, keyring.newest, AT_ONCE)
    sealed = 0
    for webhook_id, org_id in found:
        async with database.transaction(org_id) as session:
            kept = await store.lock_secrets(session, webhook_id)
            if kept is None:
                continue
            try:
                renewed = [
                    keyring.seal(keyring.open(one, org_id, webhook_id), org_id, webhook_id) if one is not None else None
                    for one in kept
                ]
            except KeyMissing as error:
                # Its deliveries fail and say so; a new secret mends it.
                logger.warning(
                    "a webhook's secret cannot be read", extra={"webhook_id": str(webhook_id), "why": str(error)}
                )
                continue
            await store.save_secrets(session, webhook_id, renewed[0], renewed[1])
            sealed += 1
    return sealed
