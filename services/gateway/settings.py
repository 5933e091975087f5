"""What the gateway reads from its environment."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import HttpUrl

from libs.service import ServiceSettings, read_secret


class Settings(ServiceSettings):
    """Settings of the gateway: where the services are, and the keys with which it signs identities for them."""

    voice_url: HttpUrl
    generation_url: HttpUrl
    storage_url: HttpUrl
    embedding_url: HttpUrl
    analytics_url: HttpUrl

    identity_keys_dir: Path
    """Holds a file for each service, named like it."""

    bootstrap_key_file: Path | None = None
    """The API key of the first organisation; without it no organisation is made."""

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
    def bootstrap_key(self) -> str | None:
        """The first organisation's key, or None."""
        return read_secret(self.bootstrap_key_file) if self.bootstrap_key_file else None
