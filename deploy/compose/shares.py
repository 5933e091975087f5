"""Which container gets which secrets: plain data, read by `prepare` and by the test of docker-compose.yml."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.embedded.credentials import POSTGRES_ADMIN
from deploy.embedded.programs import PROGRAMS, SERVICES, Program

_OBJECT_STORE = ("s3_access_key", "s3_secret_key")


def _names(program: Program) -> tuple[str, ...]:
    """The secrets of one program, as deploy.embedded.credentials names them."""
    common = (f"nats_{program.nats_user}", *_OBJECT_STORE)
    if program.kind == "once":
        databases = (f"database_{service}_{role}" for service in SERVICES for role in ("owner", "app"))
        return (POSTGRES_ADMIN, *databases, *common)
    database = f"database_{program.service}_app"
    match program.name:
        case "gateway":
            identities = (f"identity/{service}" for service in SERVICES if service != "gateway")
            return (database, *common, *identities, "api_key", "webhook_keys")
        case "worker":  # nobody but its orchestrator speaks HTTP to it
            return (database, *common)
        case name:
            return (database, *common, f"identity/{name}")


SHARES: Mapping[str, tuple[str, ...]] = {
    "postgres": (POSTGRES_ADMIN,),
    **{program.name: _names(program) for program in PROGRAMS},
}
"""Names of secrets by container. The broker and the object store get theirs inside their configuration."""
