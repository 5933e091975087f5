"""The operator's connections, to the broker and to databases: those that the environment names, else the stack's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from deploy.embedded.errors import StackError
from deploy.embedded.home import find_home

if TYPE_CHECKING:
    from libs.messaging import Bus, NatsAddress, NatsTls

USER = "provisioner"
_ADMINISTRATOR = "ANTIPHON_POSTGRES_ADMIN_URL"
_CONNECT_SECONDS = 10.0


@asynccontextmanager
async def operator_bus() -> AsyncIterator[Bus]:
    """Connect for the time of a block. Raises StackError when the broker cannot be reached."""
    from libs.messaging import connect

    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            bus = await connect(nats_address(os.environ), "operator")
    except (OSError, TimeoutError) as error:
        raise StackError(f"The broker cannot be reached: {str(error) or 'no answer'}") from None
    try:
        yield bus
    finally:
        await bus.close()


def nats_address(environment: Mapping[str, str]) -> NatsAddress:
    """Read ANTIPHON_NATS_URL, _USER and _PASSWORD_FILE; without a URL, ask the embedded stack."""
    from libs.messaging import NatsAddress

    url = environment.get("ANTIPHON_NATS_URL") or _of_the_stack("ANTIPHON_NATS_URL")
    if file := environment.get("ANTIPHON_NATS_PASSWORD_FILE"):
        from libs.service import read_secret

        return NatsAddress(
            url, environment.get("ANTIPHON_NATS_USER") or USER, read_secret(Path(file)), _tls(environment)
        )
    parts = urlsplit(url)
    server = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return NatsAddress(server, unquote(parts.username or USER), unquote(parts.password or ""), _tls(environment))


def _tls(environment: Mapping[str, str]) -> NatsTls | None:
    from libs.messaging import NatsTls

    named = (environment.get(f"ANTIPHON_NATS_TLS_{name}_FILE") for name in ("CA", "CERT", "KEY"))
    authority, certificate, key = (Path(file) if file else None for file in named)
    return NatsTls(authority, certificate, key) if authority else None


def administrator_database(service: str) -> tuple[str, str]:
    """Return the URL of the service's database for whom row-level security does not bind, and the password.

    ANTIPHON_POSTGRES_ADMIN_URL says where it is, and ANTIPHON_POSTGRES_ADMIN_PASSWORD_FILE has the password unless the
    URL does; without them, ask the embedded stack.
    """
    from sqlalchemy.engine import make_url

    url = make_url(os.environ.get(_ADMINISTRATOR) or _of_the_stack(_ADMINISTRATOR)).set(database=f"antiphon_{service}")
    return url._replace(password=None).render_as_string(), str(url.password or "") or _administrators_password()


def service_database(service: str) -> tuple[str, str | None]:
    """Return the URL of a service's database, and the password unless the URL has it.

    It is the one that ANTIPHON_<SERVICE>_DATABASE_URL names, else the administrator's, else the embedded stack's.
    """
    name = f"ANTIPHON_{service.upper()}_DATABASE_URL"
    if name not in os.environ and os.environ.get(_ADMINISTRATOR):
        return administrator_database(service)
    return os.environ.get(name) or _of_the_stack(name), None


def _administrators_password() -> str:
    from libs.service import read_secret

    file = os.environ.get(f"{_ADMINISTRATOR.removesuffix('_URL')}_PASSWORD_FILE")
    return read_secret(Path(file)) if file and os.environ.get(_ADMINISTRATOR) else ""


def _of_the_stack(name: str) -> str:
    from deploy.embedded.environment import shell_exports
    from deploy.embedded.ports import read_ports

    home = find_home()
    if home.holder() is None:
        raise StackError(f"No stack is running in {home.path}, and {name} is not set.")
    return shell_exports(home, read_ports(home.ports_file))[name]
