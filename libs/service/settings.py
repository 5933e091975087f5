"""Settings that every service has; each service's own class adds what is its alone."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import Field, HttpUrl
from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.messaging import NatsAddress, NatsTls
from libs.objectstore import ObjectStoreAddress


class ServiceSettings(BaseSettings):
    """What a service reads from its environment, once, at start. Secrets are files, one value each."""

    model_config = SettingsConfigDict(env_prefix="ANTIPHON_", frozen=True, extra="ignore", env_ignore_empty=True)

    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535)
    environment: str = "embedded"
    log_level: str = "INFO"

    database_url: str
    database_direct_url: str | None = None
    database_password_file: Path
    database_pool_size: int = Field(default=8, ge=1, le=200)
    database_behind_pooler: bool = False

    nats_url: str
    nats_user: str
    nats_password_file: Path
    nats_tls_ca_file: Path | None = None
    """Who vouches for the broker's certificate; connections are encrypted if it is given."""
    nats_tls_cert_file: Path | None = None
    nats_tls_key_file: Path | None = None
    nats_replicas: int = Field(default=1, ge=1, le=5)
    """How many servers of the cluster hold each stream."""

    outbox_shards: int = Field(default=1, ge=1, le=64)
    """Into how many parts the outbox is divided by aggregate, each with a leader of its own."""
    outbox_keep_days: int = Field(default=30, ge=8, le=3650)
    """Days that published events stay in the archive: longer than a stream keeps them."""

    s3_endpoint: HttpUrl
    s3_public_endpoint: HttpUrl | None = None
    """Where clients reach the object store, for the URLs that are signed for them; as the services do if absent."""
    s3_region: str = "us-east-1"
    s3_bucket: str = "antiphon"
    s3_access_key_file: Path
    s3_secret_key_file: Path

    otlp_endpoint: str | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")

    @cached_property
    def database_password(self) -> str:
        """The application role's password."""
        return read_secret(self.database_password_file)

    @property
    def _nats_tls(self) -> NatsTls | None:
        if self.nats_tls_ca_file is None:
            return None
        return NatsTls(self.nats_tls_ca_file, self.nats_tls_cert_file, self.nats_tls_key_file)

    @property
    def direct_url(self) -> str:
        """A database URL without a pooler in between, for sessions that hold a lock."""
        return self.database_direct_url or self.database_url

    @cached_property
    def nats(self) -> NatsAddress:
        """Where the broker is and who we are to it."""
        return NatsAddress(self.nats_url, self.nats_user, read_secret(self.nats_password_file), self._nats_tls)

    @cached_property
    def object_store(self) -> ObjectStoreAddress:
        """Where the object store is and who we are to it."""
        return ObjectStoreAddress(
            endpoint=str(self.s3_endpoint).rstrip("/"),
            region=self.s3_region,
            bucket=self.s3_bucket,
            access_key=read_secret(self.s3_access_key_file),
            secret_key=read_secret(self.s3_secret_key_file),
        )

    @property
    def public_object_store(self) -> str | None:
        """Scheme, host and port under which clients reach the object store, where that is not the services' own."""
        return str(self.s3_public_endpoint).rstrip("/") if self.s3_public_endpoint else None


class ResourceSettings(ServiceSettings):
    """Settings of a service that answers requests which the gateway has signed for it."""

    identity_key_file: Path

    @cached_property
    def identity_key(self) -> bytes:
        """The key with which the gateway signs identities for this service."""
        return bytes.fromhex(read_secret(self.identity_key_file))


def read_secret(path: Path) -> str:
    """Return the one value that a secret's file holds."""
    return path.read_text(encoding="utf-8").strip()
