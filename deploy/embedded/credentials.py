"""The secrets of one stack: generated once, one value to a file of mode 0600."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from pathlib import Path

from deploy.embedded.home import write_atomically
from deploy.embedded.programs import NATS_USERS, SERVICES
from libs.apikeys import new_api_key

POSTGRES_ADMIN = "postgres_admin"
WEED_KEYS = (
    "weed_jwt_signing_key",
    "weed_jwt_signing_read_key",
    "weed_jwt_filer_signing_key",
    "weed_jwt_filer_signing_read_key",
)


def ensure_secrets(folder: Path) -> None:
    """Generate what is missing; what is there stays as it is."""
    makers: dict[str, Callable[[], str]] = {
        POSTGRES_ADMIN: _token,
        "s3_access_key": _access_key,
        "s3_secret_key": _token,
        "api_key": new_api_key,
        "webhook_keys": _token,
    }
    makers |= {f"database_{service}_{role}": _token for service in SERVICES for role in ("owner", "app")}
    makers |= {f"nats_{user}": _token for user in NATS_USERS}
    makers |= {f"identity/{service}": _token for service in SERVICES if service != "gateway"}
    makers |= dict.fromkeys(WEED_KEYS, _token)
    (folder / "identity").mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, make in makers.items():
        if not (folder / name).exists():
            write_atomically(folder / name, make(), mode=0o600)


def read_secret(folder: Path, name: str) -> str:
    """One secret's value."""
    return (folder / name).read_text().strip()


def _token() -> str:
    """Hex of 32 random bytes: needs no quoting in a URL, a configuration file or a shell."""
    return secrets.token_hex(32)


def _access_key() -> str:
    return "ANT" + "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(17))
