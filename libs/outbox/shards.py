"""Who publishes which part of an outbox: one leader a shard, by advisory locks."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

LEADER_LOCK = 0x616E7469
LAYOUT_LOCK = 0x616E746A
"""Advisory lock keys: each service has its own database, so the same keys serve all."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` parts of an outbox; an aggregate's events all lie in the same part."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        """Refuse a part that does not exist."""
        if not 0 <= self.index < self.count:
            raise ValueError(f"there is no shard {self.index} of {self.count}")

    @property
    def condition(self) -> str:
        """SQL over a row of the outbox or its archive: is it ours?"""
        if self.count == 1:
            return "true"
        return f"(hashtextextended(aggregate, 0) & 2147483647) % {self.count} = {self.index}"

    async def try_to_lead(self, connection: asyncpg.Connection[asyncpg.Record]) -> bool:
        """Become the leader of this shard for as long as the connection lives, if nobody else is.

        Nobody leads while another process still divides the outbox into another number of shards: the
        same event would belong to two leaders.
        """
        # First our own mark, then the look for others': two that come at once see each other.
        await connection.execute("select pg_advisory_lock_shared($1, $2)", LAYOUT_LOCK, self.count)
        others: int = await connection.fetchval(
            "select count(*) from pg_locks where locktype = 'advisory' and objsubid = 2 and classid = $1"
            " and objid <> $2 and database = (select oid from pg_database where datname = current_database())",
            LAYOUT_LOCK,
            self.count,
        )
        if not others and await connection.fetchval("select pg_try_advisory_lock($1, $2)", LEADER_LOCK, self.index):
            return True
        await connection.execute("select pg_advisory_unlock_shared($1, $2)", LAYOUT_LOCK, self.count)
        return False
