"""Reading the pieces of speech once more: whether they are there, and whether they are what they were."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from libs.database import Database
from libs.objectstore import ObjectMissing, ObjectStore
from libs.objectstore.checking import Condition, Pace, patiently, require_some
from services.generation.domain.pieces import PieceDamaged, whole_piece
from services.generation.domain.speech import OBJECTS
from services.generation.store import losses
from services.generation.store.losses import KeptPiece

PIECES_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class PieceFlaw:
    """A piece whose speech is not there, or is not what was kept."""

    piece: KeptPiece
    condition: Condition


@dataclass(slots=True)
class VerifiedPieces:
    """What was looked at so far."""

    pieces: int = 0
    bytes: int = 0
    flaws: list[PieceFlaw] = field(default_factory=list)


async def verify_pieces(database: Database, objects: ObjectStore, pace: Pace) -> AsyncIterator[VerifiedPieces]:
    """Read every piece of speech that `database` shows; yields what was found so far, now and then.

    Pieces that an earlier release kept have no SHA-256: of them it is seen whether they are whole in form and length.
    Safe beside a system that runs. Raises ObjectStoreUnavailable when the object store stays away, or is another.
    """
    done = VerifiedPieces()
    after = losses.FIRST
    while True:
        async with database.transaction() as session:
            page = await losses.list_kept(session, after=after, limit=PIECES_AT_ONCE)
        if not page:
            break
        if after == losses.FIRST:
            await require_some(objects, OBJECTS)
        for piece in page:
            condition, size = await _look(objects, piece, pace)
            done.pieces += 1
            done.bytes += size
            if condition is not None and await _still_there(database, piece):
                done.flaws.append(PieceFlaw(piece, condition))
        after = page[-1].org_id, page[-1].cache_key
        yield done
    yield done


async def _look(objects: ObjectStore, piece: KeptPiece, pace: Pace) -> tuple[Condition | None, int]:
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


async def _still_there(database: Database, piece: KeptPiece) -> bool:
    async with database.transaction() as session:
        return await losses.is_kept(session, piece)
