"""Reading all that is kept once more: each service verifies its own objects, and has made again what can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from libs.database import Database
from libs.objectstore import ObjectStore
from libs.objectstore.checking import Condition, Pace
from libs.speech.catalogue import SYSTEM_VOICES
from libs.speech.espeak import EspeakEngine
from services.generation.usecases.respeaking import order_piece
from services.generation.usecases.verifying import VerifiedPieces, verify_pieces
from services.storage.usecases.verifying import Verified, VerifiedMedia, order_repair, verify, verify_media
from services.voice.usecases.verifying import (
    VerifiedVoices,
    VoiceFlaw,
    order_preview,
    speak_preview,
    verify_voices,
)

MIB = 2**20
ENGINE_PROCESSES = 2
_LOST_FOR_GOOD = """\
  What clients have brought nobody can make again: copy it from a backup, or tell its owners, who upload media anew and
  delete the lost, and bring recordings with a new voice. A voice that is ready speaks without its recordings, too."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A flaw as it is told; `remedy` has it made again, and None says that nobody can."""

    what: str
    condition: Condition
    remedy: Callable[[], Awaitable[bool]] | None


class Verification:
    """Looks at the objects of all services, one after the other, each beside its own database."""

    def __init__(self, databases: Mapping[str, Database], objects: ObjectStore, bytes_per_second: float) -> None:
        """`databases` are those of storage, generation and voice, as they show themselves to an administrator."""
        self._databases = databases
        self._objects = objects
        self._pace = Pace(bytes_per_second)
        self._tracks, self._media = Verified(), VerifiedMedia()
        self._pieces, self._voices = VerifiedPieces(), VerifiedVoices()
        self._engine: EspeakEngine | None = None

    async def run(self) -> AsyncIterator[str]:
        """Read everything; yields how far it is. Raises ObjectStoreUnavailable."""
        storage, objects, pace = self._databases["storage"], self._objects, self._pace
        async for tracks in verify(storage, objects, pace):
            self._tracks = tracks
            yield self._so_far()
        async for media in verify_media(storage, objects, pace):
            self._media = media
            yield self._so_far()
        async for pieces in verify_pieces(self._databases["generation"], objects, pace):
            self._pieces = pieces
            yield self._so_far()
        async for voices in verify_voices(self._databases["voice"], objects, pace):
            self._voices = voices
            yield self._so_far()

    def _so_far(self) -> str:
        read = sum(one.bytes for one in (self._tracks, self._media, self._pieces, self._voices))
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in self._counts())
        return f"{kinds}; {read / MIB:,.1f} MiB, {len(self.flaws)} flaws"

    def _counts(self) -> Iterator[tuple[str, int]]:
        yield "tracks", self._tracks.tracks
        yield "media", self._media.count
        yield "pieces", self._pieces.count
        yield "recordings", self._voices.recordings
        yield "previews", self._voices.previews

    @property
    def flaws(self) -> list[Shown]:
        """What was found so far."""
        return [*self._of_tracks(), *self._of_pieces(), *self._of_voices(), *self._of_media()]

    def _of_tracks(self) -> Iterator[Shown]:
        for flaw in self._tracks.flaws:
            track = flaw.track
            remedy = partial(order_repair, self._databases["storage"], track, now=datetime.now(UTC))
            yield Shown(f"track {track.id} of generation {track.generation_id}", flaw.condition, remedy)

    def _of_pieces(self) -> Iterator[Shown]:
        for flaw in self._pieces.flaws:
            what = f"piece {flaw.kept.cache_key[:16]} of organisation {flaw.kept.org_id}"
            yield Shown(what, flaw.condition, partial(order_piece, self._databases["generation"], flaw.kept))

    def _of_voices(self) -> Iterator[Shown]:
        for flaw in self._voices.flaws:
            what = "preview" if flaw.sample_id is None else f"recording {flaw.sample_id}"
            remedy = partial(self._make_preview, flaw) if flaw.can_be_made else None
            yield Shown(f"{what} of voice {flaw.voice.id}", flaw.condition, remedy)

    async def _make_preview(self, flaw: VoiceFlaw) -> bool:
        if flaw.voice.org_id is not None:
            return await order_preview(self._databases["voice"], flaw)
        if self._engine is None:
            self._engine = EspeakEngine(ENGINE_PROCESSES)
            await self._engine.start()
        return await speak_preview(self._databases["voice"], self._objects, self._engine, SYSTEM_VOICES, flaw)

    def _of_media(self) -> Iterator[Shown]:
        for flaw in self._media.flaws:
            yield Shown(f"media {flaw.kept.id} of organisation {flaw.kept.org_id}", flaw.condition, None)

    def report(self, most: int) -> None:
        """Print what was found, at most so many flaws one by one."""
        flaws = self.flaws
        conditions = Counter(flaw.condition for flaw in flaws)
        print(f"verified: {self._so_far()}")
        print(f"missing: {conditions['missing']:,}")
        print(f"damaged: {conditions['damaged']:,}")
        print(f"lost before, and not made again yet: {self._tracks.lost:,}")
        for flaw in flaws[:most]:
            print(f"  {flaw.condition}: {flaw.what}{'' if flaw.remedy else '; cannot be made again'}")
        if len(flaws) > most:
            print(f"  and {len(flaws) - most:,} more")
        if hopeless := sum(flaw.remedy is None for flaw in flaws):
            print(f"cannot be made again: {hopeless:,}\n{_LOST_FOR_GOOD}")

    async def repair(self) -> None:
        """Have made again what can be, and print how much that is. What was lost of one thing is made once."""
        remedies = [flaw.remedy for flaw in self.flaws if flaw.remedy is not None]
        try:
            print(f"to be made again: {sum([await remedy() for remedy in remedies]):,}")
        finally:
            if self._engine is not None:
                await self._engine.close()
