"""Reading the pieces of speech once more: whether they are there, and whether they are what they were."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial

from libs.database import Database
from libs.objectstore import ObjectMissing, ObjectStore
from libs.objectstore.checking import Checked, Condition, Flaw, Pace, check_all, patiently, require_some
from services.generation.domain.pieces import PieceDamaged, whole_piece
from services.generation.domain.speech import OBJECTS
from services.generation.store import losses
from services.generation.store.losses import KeptPiece

PIECES_AT_ONCE = 100

PieceFlaw = Flaw[KeptPiece]
VerifiedPieces = Checked[KeptPiece]


def verify_pieces(database: Database, objects: ObjectStore, pace: Pace) -> AsyncIterator[VerifiedPieces]:
    """Read every piece of speech that `database` shows; yields what was found so far, now and then.

    Pieces that an earlier release kept have no SHA-256: of them it is seen whether they are whole in form and length.
    Safe beside a system that runs. Raises ObjectStoreUnavailable when the object store stays away, or is another.
    """
    return check_all(
        partial(_list_behind, database, objects), partial(_look, objects, pace), partial(_is_kept, database)
    )


async def _list_behind(database: Database, objects: ObjectStore, last: KeptPiece | None) -> Sequence[KeptPiece]:
    after = losses.FIRST if last is None else (last.org_id, last.cache_key)
    async with database.transaction() as session:
        page = await losses.list_kept(session, after=after, limit=PIECES_AT_ONCE)
    if page and last is None:
        await require_some(objects, OBJECTS)
    return page


async def _look(objects: ObjectStore, pace: Pace, piece: KeptPiece) -> tuple[Condition | None, int]:
    async def read() -> bytes:
        return await objects.get(piece.object_key)

    try:
        content = await patiently(read)
    except ObjectMissing:
        return "missing", 0
    await pace.spend(len(content))
    try:
        whole_piece(content, sha256=piece.sha256, samples=piece.samples)
    except PieceDamaged:
        return "damaged", len(content)
    return None, len(content)


async def _is_kept(database: Database, piece: KeptPiece) -> bool:
    async with database.transaction() as session:
        return await losses.is_kept(session, piece)
