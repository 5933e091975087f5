"""Alembic, one history a service: `services/<service>/migrations/versions`."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url

_SERVICES = Path(__file__).resolve().parents[2] / "services"
_ENVIRONMENT = Path(__file__).resolve().parent / "alembic"


def services_with_migrations() -> tuple[str, ...]:
    """Return the services that own a database, sorted."""
    return tuple(sorted(path.parent.parent.name for path in _SERVICES.glob("*/migrations/versions")))


def upgrade(service: str, owner_url: str, owner_password: str, revision: str = "head") -> None:
    """Bring the database of `service` up to `revision`, as its owner. Runs its own event loop."""
    command.upgrade(_config(service, owner_url, owner_password), revision)


def downgrade(service: str, owner_url: str, owner_password: str, revision: str = "base") -> None:
    """Take the database of `service` back to `revision`, as its owner. Runs its own event loop."""
    command.downgrade(_config(service, owner_url, owner_password), revision)


def head(service: str) -> str | None:
    """Return the newest revision of `service`."""
    return ScriptDirectory.from_config(_script(service)).get_current_head()


def _config(service: str, owner_url: str, owner_password: str) -> Config:
    config = _script(service)
    config.attributes["url"] = make_url(owner_url).set(drivername="postgresql+asyncpg", password=owner_password)
    return config


def _script(service: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_ENVIRONMENT))
    config.set_main_option("version_locations", str(_SERVICES / service / "migrations" / "versions"))
    config.set_main_option("path_separator", "newline")
    return config
