"""Does the broker still hold what the archive says? What it lost goes back into the outbox.

Every archived event carries the incarnation of its stream (when the stream was created) and its sequence
there. A stream that was wiped is another incarnation; one that was restored from an old copy ends before
sequences that were acknowledged. Either way the events that it misses are known exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
import orjson

from libs.messaging.topology import EVENT_MAX_AGE
from libs.outbox.shards import Shard

COLUMNS = "seq, event_id, type_name, subject, aggregate, org_id, cause, payload, trace, created_at"
RECALL_SECONDS = 600.0
"""How long moving a week of events back may take."""

# Older events would have left the stream by age. The bound on sent_at only keeps old partitions out.
_RECENT = "sent_at > now() - $1::interval - interval '1 day' and created_at > now() - $1::interval"
# One condition an index scan: `is distinct from` would read the whole archive.
_MISSING = ("stream_created < $2", "stream_created > $2", "stream_created is null")
_BEHIND = "stream_created = $2 and stream_seq > $3"


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """How far a stream reaches: when it was created, and the sequence of its last message (0: none)."""

    created: datetime
    last_seq: int


async def decode_traces(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Have the trace of a row given as the mapping that it is."""
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=_dump, decoder=orjson.loads, format="text")


def _dump(value: object) -> str:
    return orjson.dumps(value).decode()


async def is_behind(connection: asyncpg.Connection[asyncpg.Record], shard: Shard, stream: StreamPosition) -> bool:
    """Say whether the archive knows of an event that the stream does not hold."""
    probes = " or ".join(
        f"exists (select from outbox_sent where {_RECENT} and {condition} and {shard.condition})"
        for condition in (*_MISSING, _BEHIND)
    )
    found: bool = await connection.fetchval(f"select {probes}", *_parameters(stream))
    return found


async def recall(connection: asyncpg.Connection[asyncpg.Record], shard: Shard, stream: StreamPosition) -> int:
    """Move the events that the stream lacks back into the outbox, under their old numbers; return how many.

    The relay then publishes them before anything newer, in their old order. All or nothing: whoever is
    killed here leaves the archive as it was.
    """
    condition = f"(stream_created is distinct from $2 or ({_BEHIND}))"
    statement = (
        f"with missing as (delete from outbox_sent where {_RECENT} and {condition} and {shard.condition} returning *)"  # noqa: S608 - own constants
        f" insert into outbox ({COLUMNS}) overriding system value select {COLUMNS} from missing"
    )
    tag = await connection.execute(statement, *_parameters(stream), timeout=RECALL_SECONDS)
    return int(tag.split()[-1])


async def archive(
    connection: asyncpg.Connection[asyncpg.Record],
    rows: Sequence[int],
    stream_created: datetime,
    stream_seqs: Sequence[int],
    *,
    is_doubtful: bool = False,
) -> None:
    """Move published rows, given by their numbers, into the archive with their places in the stream.

    When it is doubtful whether the stream is the one that was known, what the archive has at those places goes back
    into the outbox: a stream that was restored and went on before anybody looked holds these events there now.
    """
    statement = _ARCHIVE_OVER if is_doubtful else _ARCHIVE
    await connection.execute(statement, rows, stream_created, stream_seqs)


_GONE = "gone as (delete from outbox where seq = any($1::bigint[]) returning *)"
_ADD = f"""
insert into outbox_sent ({COLUMNS}, stream_created, stream_seq)
select {COLUMNS}, $2, stream_seq
from gone join unnest($1::bigint[], $3::bigint[]) as places(seq, stream_seq) using (seq)
"""  # noqa: S608 - own constants
_ARCHIVE = f"with {_GONE} {_ADD}"
_ARCHIVE_OVER = f"""
with {_GONE},
overtaken as (
    delete from outbox_sent where sent_at > now() - interval '{EVENT_MAX_AGE + 86_400} seconds'
        and stream_created = $2 and stream_seq = any($3::bigint[])
        and event_id not in (select event_id from gone) and exists (select from gone) returning *
),
back as (insert into outbox ({COLUMNS}) overriding system value select {COLUMNS} from overtaken)
{_ADD}
"""  # noqa: S608 - own constants


def _parameters(stream: StreamPosition) -> tuple[object, ...]:
    return timedelta(seconds=EVENT_MAX_AGE), stream.created, stream.last_seq
