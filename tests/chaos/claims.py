"""What the services say is stored, against what is: every row that names an object, and the object itself."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Self

from libs.objectstore import ObjectMissing, ObjectStore
from tests.chaos.audit import object_store_address
from tests.chaos.books import database
from tests.support.stack import Stack

_CLAIMS = {
    "a track": ("storage", "select object_key, sha256, size_bytes from audio_tracks"),
    "media": ("storage", "select object_key, sha256, size_bytes from media_assets"),
    "a recording": ("voice", "select object_key, sha256, size_bytes from voice_samples"),
    "completed audio": (
        "generation",
        "select object_key, null as sha256, size_bytes from renditions where status = 'completed'",
    ),
    "a piece of speech": (
        "generation",
        "select object_key, null as sha256, null as size_bytes from speech_cache where object_key is not null",
    ),
}
AT_ONCE = 16


@dataclass(frozen=True)
class Claim:
    """A row's word that there is an object, and which; None where it does not say."""

    what: str
    object_key: str
    sha256: str | None
    size_bytes: int | None


@dataclass
class Claims:
    """Compares what the rows say with the object store itself, past whatever fails before it."""

    stack: Stack
    objects: ObjectStore
    verified: set[Claim] = field(default_factory=set)
    false: list[Claim] = field(default_factory=list)

    @classmethod
    def of(cls, stack: Stack) -> Self:
        """Look at a stack that runs."""
        return cls(stack, ObjectStore(object_store_address(stack)))

    async def made(self) -> set[Claim]:
        """Return what the rows say now."""
        found: set[Claim] = set()
        for what, (service, query) in _CLAIMS.items():
            async with database(self.stack, service) as connection:
                found |= {Claim(what, **row) for row in await connection.fetch(query)}
        return found

    async def verify(self) -> int:
        """Read the object of every claim that is new; returns how many claims there are.

        An object that is not there although its row is gone by then, too, was deleted in between.
        """
        claims = await self.made()
        places = asyncio.Semaphore(AT_ONCE)

        async def holds(claim: Claim) -> bool:
            async with places:
                return await self._holds(claim)

        new = sorted(claims - self.verified, key=lambda claim: claim.object_key)
        unlike = {claim for claim, is_so in zip(new, await asyncio.gather(*map(holds, new)), strict=True) if not is_so}
        self.verified |= set(new) - unlike
        if unlike:
            self.false += sorted(unlike & await self.made(), key=lambda claim: claim.object_key)
        return len(claims)

    async def _holds(self, claim: Claim) -> bool:
        try:
            sha256, size = await self.objects.digest(claim.object_key)
        except ObjectMissing:
            return False
        return claim.sha256 in (None, sha256) and claim.size_bytes in (None, size)

    async def watch(self, stopping: asyncio.Event) -> None:
        """Verify again and again, until `stopping`: what is true only later was false when it was said."""
        while not stopping.is_set():
            await self.verify()

    async def close(self) -> None:
        """Close the connections."""
        await self.objects.close()
