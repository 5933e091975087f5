"""Searches for words find what has any of them, best what has all or the rarest, and look at no more than they can."""

from __future__ import annotations

from alembic import op

from libs.database.schema import CURRENT_ORGS

revision = "0011"
down_revision = "0010"

# The organisation by itself, besides those of the transaction: of a parameter the planner knows how many chunks it has.
IN_SCOPE = f"""
    (chunks.org_id is null or chunks.org_id = org) and (chunks.org_id is null or org = any({CURRENT_ORGS}))
    and (types is null or chunks.source_type = any(types))
    and (sources is null or chunks.document_id in (
        select documents.id from public.documents where documents.source_id = any(sources)))
    and (said is null or chunks.metadata @> said)
    and (since is null or chunks.created_at >= since)
    and (before is null or chunks.created_at < before)
"""  # noqa: S608 - of constants
_ARGUMENTS = """
    asked text, words text[], weights double precision[], phrases text[], without text[],
    org uuid, types text[], sources text[], said jsonb, since timestamptz, before timestamptz,
    combinations text[], enough integer, most integer
"""
_TYPES = (
    "text, text[], double precision[], text[], text[], "
    "uuid, text[], text[], jsonb, timestamptz, timestamptz, text[], integer, integer"
)
# Each combination is a list of places in `words`, all of which a chunk has to have; {} is any of them, {0} all that is
# asked for; the last one has whatever matches. They are gone through until there are `enough` candidates, `most` of
# each. Without combinations all chunks are read: the index of everybody's words has long lists of those that many have.
# What is found is `complete` unless more may match.
#
# What has not all that is asked for scores less than 1: the share of the words' weights that it has, and a little for
# how often. What has all scores more than 1, and more the closer together it has them: as that takes 20 to 100 µs a
# chunk, and all else together 4, only the best 20 are ordered so. 1: divided by 1 + the logarithm of the length; 32:
# below 1. Of many words the first ones, which are the rarest, have weights.
_MOST_WORDS = 12
# One by one: a join with the words takes three times as long as all else.
WEIGHT = " + ".join(
    f"case when found.words @@ each_of[{place}] then weights[{place}] else 0 end" for place in range(1, _MOST_WORDS + 1)
)
CLOSENESS = """
    case when not best.has_all then best.score when best.place > 20 then 1 + best.score
    else 1 + best.score + ts_rank_cd(best.words, every, 1 | 32) end
"""


def _ranked(which: str) -> str:
    return f"""
        return query
        with own as materialized (
            -- Unpacked once: || copies.
            select chunks.id, chunks.document_id, chunks.words || ''::tsvector as words from public.chunks
            where {which}
        ), scored as materialized (
            select found.id, found.document_id, found.words, found.words @@ every as has_all,
                0.98 * ({WEIGHT}) / total + 0.1 * ts_rank(found.words, any_of) as score
            from own as found where found.words @@ matching or found.words @@ every
        )
        select best.id, best.document_id, {CLOSENESS},
            read_all and (select count(*) from scored) <= enough
        from (
            select scored.*, row_number() over (order by scored.has_all desc, scored.score desc, scored.id) as place
            from scored order by place limit enough
        ) best;
    """  # noqa: S608 - of constants


READ_DECLARED = """
    every tsquery := websearch_to_tsquery('simple', asked);
    each_of tsquery[] := '{}';
    any_of tsquery := '';
    needed tsquery := '';
    matching tsquery := '';
    total double precision := greatest((select sum(weight) from unnest(weights) as weight), 1e-9);
"""
READ = """
    foreach one in array phrases loop
        needed := needed && phraseto_tsquery('simple', one);
    end loop;
    foreach one in array without loop
        needed := needed && !! phraseto_tsquery('simple', one);
    end loop;
    foreach one in array words loop
        each_of := each_of || phraseto_tsquery('simple', one);
        any_of := any_of || phraseto_tsquery('simple', one);
    end loop;
    matching := case when cardinality(phrases) > 0 then needed
        when numnode(any_of) > 0 then any_of && needed else '' end;
    any_of := case when numnode(any_of) > 0 then any_of else every end;
"""
_FUNCTION = f"""
create function chunks_by_words({_ARGUMENTS})
returns table (id uuid, document_id uuid, score double precision, complete boolean)
language plpgsql stable security definer rows 100
set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_custom_plan as $$
#variable_conflict use_column
declare {READ_DECLARED}
    wanted tsquery;
    one text;
    place integer;
    candidates uuid[] := '{{}}';
    former integer;
    read_all boolean := true;
begin {READ}
    if combinations is not null then
        read_all := false;
        foreach one in array combinations loop
            exit when cardinality(candidates) >= enough;
            wanted := case when one = '{{0}}' then every when one = '{{}}' then matching else needed end;
            foreach place in array one::integer[] loop
                wanted := wanted && coalesce(each_of[place], '');
            end loop;
            former := cardinality(candidates);
            candidates := candidates || array(
                select chunks.id from public.chunks where chunks.words @@ wanted and {IN_SCOPE} limit most);
            read_all := cardinality(candidates) - former < most and one = combinations[cardinality(combinations)];
            if one = combinations[1] and cardinality(candidates) = most then
                -- What has all may be among those that were left out.
                candidates := candidates || array(
                    select chunks.id from public.chunks where chunks.words @@ every and {IN_SCOPE} limit most);
            end if;
        end loop;
        {_ranked("chunks.id = any(candidates)")}
    else
        {_ranked(IN_SCOPE)}
    end if;
end $$
"""  # noqa: S608 - of constants


_COMMON = f"""
create function common_words(org uuid, most integer)
returns table (chunks bigint, words text[], has bigint[])
language sql stable security definer
set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_custom_plan as $$
    with sample as materialized (
        -- As good as random, the same each time, and known by an index.
        select chunks.words from public.chunks where chunks.org_id = org and org = any({CURRENT_ORGS})
        order by chunks.content_hash limit most
    ), counted as (
        select word, count(*) as has from sample, unnest(tsvector_to_array(words)) as word group by word
    )
    select (select count(*) from sample), array_agg(word), array_agg(has) from counted
    where has > (select count(*) / 100 from sample)
$$
"""  # noqa: S608 - of constants


def upgrade() -> None:
    """Add the functions; processes of the release before this one go on using theirs."""
    op.execute(_FUNCTION)
    op.execute(_COMMON)


def downgrade() -> None:
    """Remove them."""
    op.execute(f"drop function chunks_by_words({_TYPES})")
    op.execute("drop function common_words(uuid, integer)")
