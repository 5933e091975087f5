"""What uploads leave behind: files in quarantine, unfinished parts, copies that nobody refers to; and late objects."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from libs.database import is_database_away
from libs.objectstore import ObjectStoreUnavailable
from services.storage.domain.uploads import Status, Upload
from services.storage.store import media, uploads
from services.storage.usecases.deps import Deps
from services.storage.usecases.erasing import sweep_erased

SWEEP_SECONDS = 15.0
"""How often it is looked for what is due."""
SWEPT_AT_ONCE, FORGOTTEN_AT_ONCE, LISTED_AT_ONCE = 50, 1000, 100
logger = logging.getLogger(__name__)


async def keep_sweeping(deps: Deps) -> None:
    """Sweep from time to time, in every process: each upload is claimed by one of them."""
    while True:
        try:
            await sweep_uploads(deps)
            await sweep_erased(deps)
        except Exception as error:
            if not isinstance(error, ObjectStoreUnavailable) and not is_database_away(error):
                raise
            logger.warning("what was left behind waits to be swept", extra={"error": type(error).__name__})
        await asyncio.sleep(SWEEP_SECONDS)


async def sweep_uploads(deps: Deps) -> int:
    """Remove what is due of uploads; return how many were swept. Raises ObjectStoreUnavailable.

    What could not be removed is due again a quarter of an hour later.
    """
    swept = 0
    while True:
        async with deps.database.transaction() as session:
            due = await uploads.claim_due(session, deps.clock(), SWEPT_AT_ONCE)
        for upload_id, org_id in due:
            await sweep_upload(deps, org_id, upload_id)
        swept += len(due)
        if len(due) < SWEPT_AT_ONCE:
            break
    async with deps.database.transaction() as session:
        await uploads.forget_uploads(session, deps.clock(), FORGOTTEN_AT_ONCE)
    return swept


async def tidy_up(deps: Deps, upload: Upload) -> None:
    """Remove now what a settled upload leaves behind; if that fails, the sweeper does it."""
    try:
        await sweep_upload(deps, upload.org_id, upload.id)
    except ObjectStoreUnavailable as error:
        logger.warning("an upload waits to be swept", extra={"error": str(error)})
        async with deps.database.transaction(upload.org_id) as session:
            await uploads.sweep_next(session, upload.id, deps.clock())


async def sweep_upload(deps: Deps, org_id: UUID, upload_id: UUID) -> None:
    """Remove what an upload leaves behind, all but what was stored of it; one whose time is over is settled first.

    Until nothing can arrive any more it is done again: URLs that were signed for it still work, and a completion
    may still run. Whoever settles an upload locks its row, so that nothing is stored of it afterwards. Raises
    ObjectStoreUnavailable.
    """
    now = deps.clock()
    async with deps.database.transaction(org_id) as session:
        upload = await uploads.get_upload(session, org_id, upload_id, lock=True)
        if upload is None:
            return
        if upload.status_at(now) is Status.PENDING:
            # Claimed by a clock that goes before ours.
            await uploads.sweep_next(session, upload_id, upload.swept_last)
            return
        if upload.status is Status.PENDING:
            await uploads.settle_upload(session, upload_id, Status.EXPIRED)
        asset = await media.get_media(session, org_id, upload_id)
    await _remove(deps, upload, kept=asset.object_key if asset else None)
    is_last = now >= upload.swept_last
    async with deps.database.transaction(org_id) as session:
        await uploads.sweep_next(session, upload_id, None if is_last else upload.swept_last)


async def _remove(deps: Deps, upload: Upload, kept: str | None) -> None:
    if upload.is_in_parts:
        await deps.parts.abort_all(upload.quarantine_key)
    await deps.objects.delete(upload.quarantine_key)
    for key in await deps.objects.list_keys(upload.media_prefix, LISTED_AT_ONCE):
        if key != kept:
            await deps.objects.delete(key)
