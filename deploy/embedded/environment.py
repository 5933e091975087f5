"""The environment of every process of the embedded stack, made in this one place."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from deploy.embedded.credentials import POSTGRES_ADMIN, read_secret
from deploy.embedded.home import Home
from deploy.embedded.postgres import SUPERUSER
from deploy.embedded.processes import HOME_MARK
from deploy.embedded.programs import SERVICES, Program

REGION = "us-east-1"
BUCKET = "antiphon"
UPSTREAMS = tuple(service for service in SERVICES if service != "gateway")


def program_environment(
    program: Program, home: Home, ports: Mapping[str, int], caller: Mapping[str, str]
) -> dict[str, str]:
    """The whole environment of one program.

    What the caller has set passes through (OTEL_*, ANTIPHON_ENGINE_PROCESSES, ...), except what `antiphon env` prints
    for people and what the stack itself decides.
    """
    exported = shell_exports(home, ports).keys()
    environment = {name: value for name, value in caller.items() if name not in exported}
    environment.setdefault("ANTIPHON_ENVIRONMENT", "embedded")
    environment[HOME_MARK] = str(home.path)
    environment |= _broker(program, home, ports) | _object_store(home, ports)
    if program.kind == "once":
        return environment | _administration(home, ports)
    environment |= {"ANTIPHON_HOST": "127.0.0.1", "ANTIPHON_PORT": str(ports[program.name])}
    if program.kind == "operator":
        return environment
    environment |= _database(program, home, ports)
    if program.service == "gateway":
        environment |= _gateway(home, ports)
    else:
        environment["ANTIPHON_IDENTITY_KEY_FILE"] = str(home.secrets / "identity" / program.service)
    if program.service == "embedding":
        environment["ANTIPHON_MODEL_DIR"] = str(home.models)
    return environment


def shell_exports(home: Home, ports: Mapping[str, int]) -> dict[str, str]:
    """What `antiphon env` prints: addresses with their credentials, for a person's shell."""

    def secret(name: str) -> str:
        return read_secret(home.secrets, name)

    server = f"127.0.0.1:{ports['postgres']}"
    exports = {
        "ANTIPHON_URL": f"http://127.0.0.1:{ports['gateway']}",
        "ANTIPHON_API_KEY": secret("api_key"),
        "ANTIPHON_NATS_URL": f"nats://provisioner:{secret('nats_provisioner')}@127.0.0.1:{ports['nats']}",
        "ANTIPHON_NATS_MONITOR_URL": f"http://127.0.0.1:{ports['nats_monitor']}",
        "ANTIPHON_POSTGRES_ADMIN_URL": f"postgresql://{SUPERUSER}:{secret(POSTGRES_ADMIN)}@{server}/postgres",
        "ANTIPHON_S3_ENDPOINT": f"http://127.0.0.1:{ports['s3']}",
        "ANTIPHON_S3_REGION": REGION,
        "ANTIPHON_S3_BUCKET": BUCKET,
        "ANTIPHON_S3_ACCESS_KEY": secret("s3_access_key"),
        "ANTIPHON_S3_SECRET_KEY": secret("s3_secret_key"),
    }
    for service in SERVICES:
        password = quote(secret(f"database_{service}_app"))
        exports[f"ANTIPHON_{service.upper()}_DATABASE_URL"] = (
            f"postgresql://{service}_app:{password}@{server}/antiphon_{service}"
        )
    return exports


def _broker(program: Program, home: Home, ports: Mapping[str, int]) -> dict[str, str]:
    return {
        "ANTIPHON_NATS_URL": f"nats://127.0.0.1:{ports['nats']}",
        "ANTIPHON_NATS_USER": program.nats_user,
        "ANTIPHON_NATS_PASSWORD_FILE": str(home.secrets / f"nats_{program.nats_user}"),
    }


def _object_store(home: Home, ports: Mapping[str, int]) -> dict[str, str]:
    return {
        "ANTIPHON_S3_ENDPOINT": f"http://127.0.0.1:{ports['s3']}",
        "ANTIPHON_S3_REGION": REGION,
        "ANTIPHON_S3_BUCKET": BUCKET,
        "ANTIPHON_S3_ACCESS_KEY_FILE": str(home.secrets / "s3_access_key"),
        "ANTIPHON_S3_SECRET_KEY_FILE": str(home.secrets / "s3_secret_key"),
    }


def _database(program: Program, home: Home, ports: Mapping[str, int]) -> dict[str, str]:
    user = f"{program.service}_app"
    return {
        "ANTIPHON_DATABASE_URL": f"postgresql://{user}@127.0.0.1:{ports['postgres']}/antiphon_{program.service}",
        "ANTIPHON_DATABASE_PASSWORD_FILE": str(home.secrets / f"database_{user}"),
    }


def _administration(home: Home, ports: Mapping[str, int]) -> dict[str, str]:
    return {
        "ANTIPHON_POSTGRES_ADMIN_URL": f"postgresql://{SUPERUSER}@127.0.0.1:{ports['postgres']}/postgres",
        "ANTIPHON_POSTGRES_ADMIN_PASSWORD_FILE": str(home.secrets / POSTGRES_ADMIN),
        "ANTIPHON_SECRETS_DIR": str(home.secrets),
    }


def _gateway(home: Home, ports: Mapping[str, int]) -> dict[str, str]:
    urls = {f"ANTIPHON_{name.upper()}_URL": f"http://127.0.0.1:{ports[name]}" for name in UPSTREAMS if name in ports}
    return urls | {
        "ANTIPHON_IDENTITY_KEYS_DIR": str(home.secrets / "identity"),
        "ANTIPHON_BOOTSTRAP_KEY_FILE": str(home.secrets / "api_key"),
        "ANTIPHON_WEBHOOK_KEYS_FILE": str(home.secrets / "webhook_keys"),
    }
