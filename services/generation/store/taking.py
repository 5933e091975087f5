"""Taking work from the speech queue: what is fairest, within what every organisation's plan allows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import BigInteger, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from services.generation.store.queue import INTERACTIVE, JOB, LEASE_SECONDS, UNLIMITED, Work

_uuid = PgUuid(as_uuid=True)

_FREE = """
    select * from speech_next(cast({priority} as smallint), :engines,
        array(select org_id from held where pieces >= most), {most})
"""
_TAKE = Prepared(
    text(
        f"""
    with held as materialized (
        select * from speech_held()
    ), interactive as ({_FREE.format(priority=INTERACTIVE, most=":most_interactive")}
    ), jobs as ({_FREE.format(priority=JOB, most="least(:most_jobs, :most - (select count(*) from interactive))")}
    ), next as (
        select * from interactive union all select * from jobs
    ), fitting as (
        select n.id from
            (select *, row_number() over (partition by org_id order by priority, tag, id) as number from next) n
            left join held h using (org_id)
        where n.number <= n.most_at_once - coalesce(h.pieces, 0)
    )
    update speech_queue q
    set worker = :worker, tries = q.tries + 1, available_at = clock_timestamp() + interval '{LEASE_SECONDS} seconds'
    where q.id = any(array(select id from fitting))
    returning q.id, q.org_id, q.kind, q.rendition_id, q.cache_key, q.priority, q.characters, q.most_at_once, q.tries,
        q.deaths, q.payload, q.trace,
        extract(epoch from clock_timestamp() - q.created_at)::double precision as waited_seconds,
        (select count(*) from next) as looked_at,
        -- A lease that the server forgets when it dies is taken anew: nobody waits until the disk has it.
        set_config('synchronous_commit', 'off', true) as durability
    """  # noqa: S608 - numbers of ours
    ).bindparams(
        bindparam("worker", type_=_uuid),
        bindparam("engines", type_=ARRAY(Text)),
        bindparam("most", type_=BigInteger),
        bindparam("most_interactive", type_=BigInteger),
        bindparam("most_jobs", type_=BigInteger),
    )
)
_LOCK_SHARES = Prepared(
    text(
        "select pg_advisory_xact_lock(hashtextextended(org_id::text, 0)) from unnest(:org_ids) as locked (org_id)"
    ).bindparams(bindparam("org_ids", type_=ARRAY(_uuid)))
)
_LEAVE = Prepared(
    text(
        """
    with excess as (
        select org_id, pieces - most as pieces from speech_held() where org_id = any(:org_ids) and pieces > most
    ), last as (
        select id from
            (select id, org_id, row_number() over (partition by org_id order by priority desc, tag desc, id desc)
                as number from speech_queue where id = any(:ids)) mine
            join excess using (org_id)
        where number <= pieces
    )
    update speech_queue q set worker = null, tries = q.tries - 1, available_at = clock_timestamp()
    where q.id = any(array(select id from last)) returning q.id
    """
    ).bindparams(bindparam("org_ids", type_=ARRAY(_uuid)), bindparam("ids", type_=ARRAY(_uuid)))
)


async def take(
    session: AsyncSession,
    worker: UUID,
    most: int,
    engines: Sequence[str],
    *,
    most_interactive: int | None = None,
    most_jobs: int | None = None,
) -> list[Work]:
    """Take up to `most` pieces of work that one of these engines can do, up to `most_jobs` of them of jobs.

    What somebody waits for comes first, and in both kinds what is fairest. No organisation has more of its work taken
    at a time than its plan allows, but for what several workers take at the same moment: see `within_shares`.
    """
    jobs = most if most_jobs is None else max(0, most_jobs)
    interactive = most if most_interactive is None else max(0, most_interactive)
    taken: list[Work] = []
    while len(taken) < most:
        row = {
            "worker": worker,
            "most": most - len(taken),
            "most_interactive": min(most - len(taken), interactive - sum(one.priority == INTERACTIVE for one in taken)),
            "most_jobs": jobs - sum(one.priority == JOB for one in taken),
            "engines": list(engines),
        }
        rows = await _TAKE.fetch(session, **row)
        taken += [Work(**{name: row[name] for name in Work.__slots__}) for row in rows]
        # What its organisation may not have done yet was looked at in vain: what comes behind it is looked at, too.
        if not rows or rows[0]["looked_at"] == len(rows):
            break
    return sorted(taken, key=lambda one: (one.priority, one.id))


def is_limited(taken: Sequence[Work]) -> bool:
    """Say whether a plan limits how much of its organisation's work is done at a time."""
    return any(one.most_at_once < UNLIMITED for one in taken)


async def within_shares(session: AsyncSession, taken: Sequence[Work]) -> list[Work]:
    """Leave again what other workers' simultaneous taking made too much, and return the rest."""
    limited = sorted({one.org_id for one in taken if one.most_at_once < UNLIMITED})
    await _LOCK_SHARES.fetch(session, org_ids=limited)
    left = await _LEAVE.fetch(session, org_ids=limited, ids=[one.id for one in taken])
    gone = {row["id"] for row in left}
    return [one for one in taken if one.id not in gone]
