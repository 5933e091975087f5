"""Renditions: audio that equal requests share, of chunks that texts share, spoken in the order of a fair queue."""

from __future__ import annotations

from alembic import op

from libs.database.schema import confine, isolate, see_all, touch_trigger

revision = "0003"
down_revision = "0002"

_CHANGES = (
    "alter table voices add column settings jsonb not null default '{}'",
    # The audio of one or more generations that asked for the same; its id is that of the first of them.
    """
    create table renditions (
        id uuid primary key,
        org_id uuid not null,
        -- What equal requests have in common; null when no other request may share it.
        fingerprint text,
        text text not null check (char_length(text) between 1 and 1000000),
        spec jsonb not null check (jsonb_typeof(spec) = 'object'),
        mode text not null check (mode in ('interactive', 'job')),
        status text not null default 'pending'
            check (status in ('pending', 'rendered', 'completed', 'failed', 'canceled')),
        chunks_total integer check (chunks_total > 0),
        chunks_done integer not null default 0 check (chunks_done between 0 and chunks_total),
        characters_spoken integer check (characters_spoken >= 0),
        samples bigint check (samples > 0),
        object_key text,
        alignment_key text,
        -- Of a text that was spoken as a whole: start and end times of its characters, little-endian doubles.
        times bytea,
        duration_seconds double precision check (duration_seconds > 0),
        size_bytes bigint,
        applied jsonb not null default '{}',
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        unique (org_id, fingerprint)
    )
    """,
    touch_trigger("renditions"),
    """
    insert into renditions (id, org_id, text, spec, mode, status, characters_spoken, object_key, duration_seconds,
        applied, created_at)
    select g.id, g.org_id, g.text,
        jsonb_build_object('engine', g.model_id, 'voice', coalesce(v.engine_settings, '{}'), 'speed', g.speed,
            'language', coalesce(v.language, 'en-US'), 'output', g.format),
        'interactive',
        case when g.status in ('completed', 'failed') then g.status when g.object_key is not null then 'rendered'
            else 'pending' end,
        g.characters, g.object_key, g.duration_seconds, g.applied, g.created_at
    from generations g left join voices v on v.id = g.voice_id
    """,
    "alter table generations drop constraint generations_text_check",
    "alter table generations drop constraint generations_format_check",
    "alter table generations drop constraint generations_status_check",
    "alter table generations add check (char_length(text) between 1 and 1000000)",
    "alter table generations add check (format ~ '^[a-z0-9_]{1,40}$')",
    "alter table generations add check (status in ('pending', 'processing', 'completed', 'failed', 'canceled'))",
    """
    alter table generations
        add column mode text not null default 'interactive' check (mode in ('interactive', 'job')),
        add column input_type text not null default 'text' check (input_type in ('text', 'ssml')),
        add column language text,
        add column pitch double precision not null default 0 check (pitch between -12 and 12),
        add column volume double precision not null default 1 check (volume between 0 and 2),
        add column seed bigint check (seed between 0 and 4294967295),
        add column model_voice text,
        add column use_cache boolean not null default true,
        add column dictionaries jsonb not null default '[]',
        add column revised_from uuid,
        add column rendition_id uuid references renditions on delete set null,
        add column characters_spoken integer check (characters_spoken >= 0),
        add column tries integer not null default 1 check (tries > 0)
    """,
    "update generations set rendition_id = id, characters_spoken = case when status = 'completed' then characters end",
    "create index generations_rendition on generations (rendition_id)",
    "create index generations_status on generations (org_id, status, created_at desc, id desc)",
    "alter table generation_attempts drop constraint generation_attempts_generation_id_fkey",
    "alter table generation_attempts rename column generation_id to rendition_id",
    "alter index generation_attempts_generation rename to generation_attempts_rendition",
    "alter table generation_attempts add foreign key (rendition_id) references renditions on delete cascade",
    "alter table generation_attempts add column settings jsonb not null default '{}'",
    # Speech of a piece of text, by everything that decides how it sounds. Wanted by chunks, gone with the last of them.
    """
    create table speech_cache (
        org_id uuid not null,
        cache_key text not null check (cache_key ~ '^[0-9a-f]{64}$'),
        object_key text,
        samples bigint check (samples >= 0),
        applied jsonb not null default '{}',
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        primary key (org_id, cache_key),
        check ((object_key is null) = (samples is null))
    )
    """,
    touch_trigger("speech_cache"),
    """
    create table generation_chunks (
        rendition_id uuid not null references renditions on delete cascade,
        idx integer not null check (idx >= 0),
        org_id uuid not null,
        -- Which code points of the rendition's text it speaks, and what the engine reads for them.
        first_character integer not null check (first_character >= 0),
        characters integer not null check (characters > 0),
        reading text not null,
        -- For each character of the reading the one of the chunk that it stands for, -1 for none; null: the same.
        origins integer[],
        cache_key text not null,
        spoken boolean not null,
        primary key (rendition_id, idx),
        foreign key (org_id, cache_key) references speech_cache
    )
    """,
    "create index generation_chunks_cache on generation_chunks (org_id, cache_key)",
    # Work for the speech workers. No tenant's table: a worker takes what is next, whosever it is.
    """
    create table speech_queue (
        id uuid primary key,
        org_id uuid not null,
        kind text not null check (kind in ('plan', 'whole', 'chunk', 'assemble')),
        rendition_id uuid not null,
        cache_key text,
        -- Which engine speaks it; null where none is needed.
        engine text,
        priority smallint not null check (priority in (0, 1)),
        tag double precision not null,
        characters integer not null check (characters > 0),
        most_at_once integer not null check (most_at_once > 0),
        available_at timestamptz not null default now(),
        worker uuid,
        tries integer not null default 0,
        deaths integer not null default 0,
        -- What the work needs, so that whoever takes it asks nobody.
        payload jsonb not null default '{}',
        trace jsonb not null default '{}',
        created_at timestamptz not null default now()
    ) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500)
    """,
    "create index speech_queue_next on speech_queue (priority, tag, id)",
    "create index speech_queue_shares on speech_queue (org_id, priority, tag)",
    "create index speech_queue_held on speech_queue (org_id) where worker is not null",
    "create index speech_queue_rendition on speech_queue (rendition_id)",
    "create unique index speech_queue_chunk on speech_queue (org_id, cache_key) where kind = 'chunk'",
    """
    insert into speech_queue (id, org_id, kind, rendition_id, priority, tag, characters, most_at_once)
    select id, org_id, 'plan', id, 0, 0, char_length(text), 1000 from renditions where status = 'pending'
    """,
    # Who is there to speak, with what, and how fast.
    """
    create table speech_workers (
        id uuid primary key,
        engine_processes integer not null check (engine_processes > 0),
        characters_per_second double precision not null check (characters_per_second > 0),
        seen_at timestamptz not null default now()
    )
    """,
    """
    create table speech_models (
        id text primary key,
        description jsonb not null,
        version text not null,
        ready boolean not null,
        seen_at timestamptz not null default now()
    )
    """,
    # Pronunciation: every change is a version of its own, and requests name one.
    """
    create table dictionaries (
        id uuid primary key,
        org_id uuid not null,
        name text not null check (char_length(name) between 1 and 100),
        description text check (char_length(description) <= 500),
        version integer not null default 1 check (version > 0),
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now()
    )
    """,
    "create unique index dictionaries_name on dictionaries (org_id, lower(name))",
    touch_trigger("dictionaries"),
    """
    create table dictionary_versions (
        dictionary_id uuid not null references dictionaries on delete cascade,
        org_id uuid not null,
        version integer not null check (version > 0),
        rules jsonb not null check (jsonb_typeof(rules) = 'array'),
        created_at timestamptz not null default now(),
        primary key (dictionary_id, version)
    )
    """,
)
_ISOLATED = ("renditions", "generation_chunks", "speech_cache", "dictionaries", "dictionary_versions")


_READ = ("generations", "generation_attempts", "voices")


def upgrade() -> None:
    """Create everything; what was waiting for a worker waits in the queue now."""
    confined = [line for table in _ISOLATED for line in isolate(table)]
    for statement in (*see_all(*_READ), *_CHANGES, *confine(*_READ), *confined):
        op.execute(statement)


def downgrade() -> None:
    """Remove everything; generations that the schema before cannot hold go, too."""
    for statement in (
        *see_all(*_READ),
        "drop table dictionary_versions",
        "drop table dictionaries",
        "drop table speech_models",
        "drop table speech_workers",
        "drop table speech_queue",
        "drop table generation_chunks",
        "drop table speech_cache",
        "alter table generation_attempts drop constraint generation_attempts_rendition_id_fkey",
        "alter table generation_attempts drop column settings",
        "alter index generation_attempts_rendition rename to generation_attempts_generation",
        "alter table generation_attempts rename column rendition_id to generation_id",
        "delete from generations where char_length(text) > 5000 or status = 'canceled' or format not in ('mp3', 'wav')",
        "delete from generation_attempts where generation_id not in (select id from generations)",
        "alter table generation_attempts add foreign key (generation_id) references generations on delete cascade",
        "drop index generations_status",
        "drop index generations_rendition",
        """
        alter table generations drop column mode, drop column input_type, drop column language, drop column pitch,
            drop column volume, drop column seed, drop column model_voice, drop column use_cache,
            drop column dictionaries, drop column revised_from, drop column rendition_id,
            drop column characters_spoken, drop column tries
        """,
        "alter table generations drop constraint generations_text_check",
        "alter table generations drop constraint generations_format_check",
        "alter table generations drop constraint generations_status_check",
        "alter table generations add check (char_length(text) between 1 and 5000)",
        "alter table generations add check (format in ('mp3', 'wav'))",
        "alter table generations add check (status in ('pending', 'processing', 'completed', 'failed'))",
        "drop table renditions",
        "alter table voices drop column settings",
        *confine(*_READ),
    ):
        op.execute(statement)
