"""Create a service's database and its two roles; safe to run again."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

IDLE_SECONDS = 15
"""How long a service may leave a transaction open without a word. One that stands still, frozen or cut off, holds locks
for which others wait: it loses its transaction then, and whoever waits goes on well within the time of a request."""


@dataclass(frozen=True, slots=True)
class ServiceDatabase:
    """A service's database with its two roles.

    The owner migrates; the application role runs, cannot change the schema, and is bound by
    row-level security.
    """

    service: str
    owner_password: str
    app_password: str

    @property
    def name(self) -> str:
        """The database's name."""
        return f"antiphon_{self.service}"

    @property
    def owner(self) -> str:
        """The role that owns the schema."""
        return f"{self.service}_owner"

    @property
    def app(self) -> str:
        """The role that the running service uses."""
        return f"{self.service}_app"


async def provision_database(admin_url: str, admin_password: str, wanted: ServiceDatabase) -> None:
    """Create what is missing and set the passwords to those wanted.

    Both roles are plain: no superuser, no BYPASSRLS, no right to create databases or roles.
    """
    admin = await asyncpg.connect(admin_url, password=admin_password)
    try:
        await _ensure_role(admin, wanted.owner, wanted.owner_password)
        await _ensure_role(admin, wanted.app, wanted.app_password)
        # Of the role, because a pooler passes no settings of connections on.
        await admin.execute(f"alter role \"{wanted.app}\" set idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
        if not await admin.fetchval("select 1 from pg_database where datname = $1", wanted.name):
            await admin.execute(f'create database "{wanted.name}" owner "{wanted.owner}"')
        await admin.execute(f'revoke all on database "{wanted.name}" from public')
        await admin.execute(f'grant connect on database "{wanted.name}" to "{wanted.app}"')
    finally:
        await admin.close()
    inside = await asyncpg.connect(admin_url, password=admin_password, database=wanted.name)
    try:
        await inside.execute("create extension if not exists vector")
        await inside.execute("revoke create on schema public from public")
        await inside.execute(f'grant usage, create on schema public to "{wanted.owner}"')
        await inside.execute(f'grant usage on schema public to "{wanted.app}"')
        for kind, rights in (
            ("tables", "select, insert, update, delete"),
            ("sequences", "usage, select"),
            ("functions", "execute"),
        ):
            await inside.execute(
                f'alter default privileges for role "{wanted.owner}" in schema public '
                f'grant {rights} on {kind} to "{wanted.app}"'
            )
    finally:
        await inside.close()


async def _ensure_role(admin: asyncpg.Connection[asyncpg.Record], role: str, password: str) -> None:
    verb = "alter" if await admin.fetchval("select 1 from pg_roles where rolname = $1", role) else "create"
    quoted = await admin.fetchval("select quote_literal($1)", password)
    await admin.execute(f'{verb} role "{role}" login nosuperuser nocreatedb nocreaterole password {quoted}')
