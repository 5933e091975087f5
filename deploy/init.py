"""Prepare what the services run on: databases, roles, migrations, streams, bucket. Safe to run again."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path

from pydantic import HttpUrl
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url

from libs.database import migrate
from libs.database.provision import ServiceDatabase, provision_database
from libs.messaging import Consumers, NatsAddress, NatsTls, connect
from libs.messaging.provision import provision
from libs.objectstore import ObjectStore, ObjectStoreAddress
from libs.service import read_secret

# Every module that declares consumers as CONSUMERS.
_CONSUMER_MODULES = (
    "services.generation.consumers",
    "services.generation.jobs",
    "services.storage.consumers",
    "services.voice.consumers",
    "services.embedding.consumers",
    "services.analytics.consumers",
    "services.gateway.consumers",
)


class InitSettings(BaseSettings):
    """What the initialisation reads from its environment."""

    model_config = SettingsConfigDict(env_prefix="ANTIPHON_", frozen=True, extra="ignore")

    postgres_admin_url: str
    postgres_admin_password_file: Path
    secrets_dir: Path
    nats_url: str
    nats_user: str = "provisioner"
    nats_password_file: Path
    nats_tls_ca_file: Path | None = None
    """Who vouches for the broker's certificate; connections are encrypted if it is given."""
    nats_tls_cert_file: Path | None = None
    nats_tls_key_file: Path | None = None
    nats_replicas: int = 1
    s3_endpoint: HttpUrl
    s3_region: str = "us-east-1"
    s3_bucket: str = "antiphon"
    s3_access_key_file: Path
    s3_secret_key_file: Path

    @property
    def nats_tls(self) -> NatsTls | None:
        """How connections to the broker are encrypted, if they are."""
        if self.nats_tls_ca_file is None:
            return None
        return NatsTls(self.nats_tls_ca_file, self.nats_tls_cert_file, self.nats_tls_key_file)

    def database_of(self, service: str) -> ServiceDatabase:
        """Return the wanted database of `service`, with the passwords from the secrets."""
        return ServiceDatabase(
            service=service,
            owner_password=read_secret(self.secrets_dir / f"database_{service}_owner"),
            app_password=read_secret(self.secrets_dir / f"database_{service}_app"),
        )


def all_consumers() -> list[Consumers]:
    """Return what all services answer."""
    return [importlib.import_module(name).CONSUMERS for name in _CONSUMER_MODULES]


def main() -> None:
    """Initialise everything; raises what goes wrong."""
    settings = InitSettings()
    asyncio.run(_provision_servers(settings))
    for service in migrate.services_with_migrations():
        _migrate(settings, service)


def _migrate(settings: InitSettings, service: str) -> None:
    wanted = settings.database_of(service)
    url = make_url(settings.postgres_admin_url).set(username=wanted.owner, database=wanted.name)
    migrate.upgrade(service, url.render_as_string(hide_password=False), wanted.owner_password)
    print(f"migrated {wanted.name} to {migrate.head(service)}", flush=True)


async def _provision_servers(settings: InitSettings) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_provision_databases(settings))
        group.create_task(_provision_broker(settings))
        group.create_task(_provision_bucket(settings))


async def _provision_databases(settings: InitSettings) -> None:
    password = read_secret(settings.postgres_admin_password_file)
    for service in migrate.services_with_migrations():
        await provision_database(settings.postgres_admin_url, password, settings.database_of(service))


async def _provision_broker(settings: InitSettings) -> None:
    address = NatsAddress(
        settings.nats_url, settings.nats_user, read_secret(settings.nats_password_file), settings.nats_tls
    )
    bus = await connect(address, "provisioner")
    try:
        for change in await provision(bus.jetstream, all_consumers(), replicas=settings.nats_replicas):
            print(f"{change.action} {change.kind} {change.name} {change.details or ''}".rstrip(), flush=True)
    finally:
        await bus.close()


async def _provision_bucket(settings: InitSettings) -> None:
    store = ObjectStore(
        ObjectStoreAddress(
            endpoint=str(settings.s3_endpoint).rstrip("/"),
            region=settings.s3_region,
            bucket=settings.s3_bucket,
            access_key=read_secret(settings.s3_access_key_file),
            secret_key=read_secret(settings.s3_secret_key_file),
        )
    )
    if await store.ensure_bucket():
        print(f"create bucket {settings.s3_bucket}", flush=True)
    await store.close()


if __name__ == "__main__":
    main()
