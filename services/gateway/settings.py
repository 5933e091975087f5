"""What the gateway reads from its environment."""

from __future__ import annotations

import hmac
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, HttpUrl, model_validator
from pydantic_settings import NoDecode

from libs.service import ServiceSettings, read_secret


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Several, with commas between them."""


class Settings(ServiceSettings):
    """Settings of the gateway: where the services are, and the keys with which it signs identities for them."""

    voice_url: HttpUrl
    generation_url: HttpUrl
    storage_url: HttpUrl
    embedding_url: HttpUrl
    analytics_url: HttpUrl

    identity_keys_dir: Path
    """Holds a file for each service, named like it."""

    webhook_keys_file: Path
    """Keys that seal the secrets of webhooks: 64 hexadecimal digits a line, the newest first."""
    webhook_allowed: str = ""
    """Hosts, addresses and networks (CIDR) that webhooks may lead to besides the Internet, separated by commas."""

    bootstrap_key_file: Path | None = None
    """The API key of the first organisation; without it no organisation is made."""

    free_key_requests: int = Field(default=300, ge=1, le=10_000_000)
    free_organization_requests: int = Field(default=600, ge=1, le=10_000_000)
    free_concurrent_requests: int = Field(default=10, ge=1, le=100_000)
    pro_key_requests: int = Field(default=3_000, ge=1, le=10_000_000)
    pro_organization_requests: int = Field(default=6_000, ge=1, le=10_000_000)
    pro_concurrent_requests: int = Field(default=100, ge=1, le=100_000)
    enterprise_key_requests: int = Field(default=120_000, ge=1, le=10_000_000)
    enterprise_organization_requests: int = Field(default=240_000, ge=1, le=10_000_000)
    enterprise_concurrent_requests: int = Field(default=5_000, ge=1, le=100_000)
    """What each plan allows in a minute, to one key and to an organisation, and at the same time."""
    stranger_requests: int = Field(default=600, ge=1, le=10_000_000)
    """What one address may send in a minute without a valid key."""

    allowed_hosts: Names = ()
    """Names under which clients know the gateway, beside localhost and addresses; `*` for any."""
    cors_origins: Names = ()
    """Origins whose pages may ask, such as https://app.example.org; `*` for any."""
    trusted_proxies: Names = ()
    """Addresses or networks of proxies that are believed when they say for whom they ask."""
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    """With both, connections are encrypted."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("ANTIPHON_TLS_CERT_FILE and ANTIPHON_TLS_KEY_FILE belong together")
        return self

    @cached_property
    def service_urls(self) -> dict[str, str]:
        """Where each service is, without a slash at the end."""
        urls = {
            "voice": self.voice_url,
            "generation": self.generation_url,
            "storage": self.storage_url,
            "embedding": self.embedding_url,
            "analytics": self.analytics_url,
        }
        return {service: str(url).rstrip("/") for service, url in urls.items()}

    @cached_property
    def identity_keys(self) -> dict[str, bytes]:
        """The key of each service."""
        return {service: bytes.fromhex(read_secret(self.identity_keys_dir / service)) for service in self.service_urls}

    @cached_property
    def webhook_keys(self) -> tuple[bytes, ...]:
        """The keys that seal the secrets of webhooks, the newest first."""
        return tuple(bytes.fromhex(line) for line in read_secret(self.webhook_keys_file).split())

    @cached_property
    def place_secret(self) -> bytes:
        """What seals the places that subscribers carry: the same in all replicas, derived from what they share."""
        shared = b"".join(key for _, key in sorted(self.identity_keys.items()))
        return hmac.digest(shared, b"antiphon live places", "sha256")

    @cached_property
    def bootstrap_key(self) -> str | None:
        """The first organisation's key, or None."""
        return read_secret(self.bootstrap_key_file) if self.bootstrap_key_file else None
