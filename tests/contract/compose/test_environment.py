"""The variables of every container, held against the settings class that reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from deploy.compose.prepare import all_shares
from deploy.embedded.credentials import ensure_secrets
from deploy.embedded.programs import PROGRAMS, SERVICES
from deploy.init import InitSettings
from services.analytics.settings import Settings as AnalyticsSettings
from services.embedding.settings import Settings as EmbeddingSettings
from services.gateway.settings import Settings as GatewaySettings
from services.generation.settings import Settings as GenerationSettings
from services.generation.settings import WorkerSettings
from services.storage.settings import Settings as StorageSettings
from services.voice.settings import Settings as VoiceSettings
from tests.contract.compose.composition import Composition

COMPOSITION = Composition.read()
MOUNT = Path("/etc/antiphon")
SETTINGS: Mapping[str, type[BaseSettings]] = {
    "init": InitSettings,
    "gateway": GatewaySettings,
    "voice": VoiceSettings,
    "generation": GenerationSettings,
    "worker": WorkerSettings,
    "storage": StorageSettings,
    "embedding": EmbeddingSettings,
    "analytics": AnalyticsSettings,
}
PROGRAM_OF = {program.name: program for program in PROGRAMS}
each_program = pytest.mark.parametrize("name", SETTINGS)


@pytest.fixture(scope="module")
def shares(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What the first start would hand to each container, by file."""
    vault = tmp_path_factory.mktemp("secrets")
    ensure_secrets(vault)
    return all_shares(vault)


def _variables(settings: type[BaseSettings]) -> dict[str, bool]:
    """The variables that a settings class reads; True where it needs one."""
    prefix = settings.model_config.get("env_prefix", "")
    variables = {}
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        assert not isinstance(alias, AliasChoices), f"{name} has several names; teach them to this test"
        variables[str(alias) if alias else f"{prefix}{name}".upper()] = field.is_required()
    return variables


def test_every_program_has_a_settings_class_here() -> None:
    assert set(SETTINGS) == set(PROGRAM_OF)


@each_program
def test_it_is_given_all_that_its_settings_require(name: str) -> None:
    required = {variable for variable, is_required in _variables(SETTINGS[name]).items() if is_required}
    assert required - set(COMPOSITION.containers[name].given) == set()


@each_program
def test_it_is_given_nothing_that_its_settings_do_not_know(name: str) -> None:
    ours = {variable for variable in COMPOSITION.containers[name].environment if variable.startswith("ANTIPHON_")}
    assert ours - set(_variables(SETTINGS[name])) == set()


@each_program
def test_its_settings_accept_what_it_is_given(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in _variables(SETTINGS[name]):
        monkeypatch.delenv(variable, raising=False)
    given = COMPOSITION.containers[name].given
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    settings = SETTINGS[name]()
    if name != "init":
        assert settings.model_dump()["otlp_endpoint"] is None
        assert settings.model_dump()["port"] == int(given["ANTIPHON_PORT"])


@each_program
def test_the_secrets_that_it_is_told_of_are_those_that_it_gets(name: str, shares: dict[str, dict[str, str]]) -> None:
    given = COMPOSITION.containers[name].given
    told = {value for variable, value in given.items() if variable.endswith("_FILE")}
    mine = {str(MOUNT / file) for file in shares[name]}
    if name == "init":
        roles = {f"{service}_{role}" for service in SERVICES for role in ("owner", "app")}
        told |= {f"{given['ANTIPHON_SECRETS_DIR']}/database_{role}" for role in roles}
    if name == "gateway":
        keys = {service for service in SERVICES if service != "gateway"}
        told |= {f"{given['ANTIPHON_IDENTITY_KEYS_DIR']}/{service}" for service in keys}
    assert told == mine


@each_program
def test_it_is_who_it_should_be_to_the_servers(name: str) -> None:
    program, given = PROGRAM_OF[name], COMPOSITION.containers[name].given
    assert given["ANTIPHON_NATS_USER"] == program.nats_user
    assert given["ANTIPHON_NATS_PASSWORD_FILE"] == str(MOUNT / f"nats_{program.nats_user}")
    if name == "init":
        administrator = COMPOSITION.containers["postgres"].given
        url = urlsplit(given["ANTIPHON_POSTGRES_ADMIN_URL"])
        assert (url.username, url.path) == (administrator["POSTGRES_USER"], f"/{administrator['POSTGRES_DB']}")
        return
    url = urlsplit(given["ANTIPHON_DATABASE_URL"])
    assert (url.username, url.password) == (f"{program.service}_app", None)
    assert url.path == f"/antiphon_{program.service}"
    assert given["ANTIPHON_DATABASE_PASSWORD_FILE"] == str(MOUNT / f"database_{program.service}_app")


@each_program
def test_every_address_names_a_container_and_the_port_that_it_listens_on(name: str) -> None:
    ports = {"postgres": 5432, "nats": 4222, "s3": 8333}
    ports |= {other: int(COMPOSITION.containers[other].given["ANTIPHON_PORT"]) for other in SETTINGS if other != "init"}
    given = COMPOSITION.containers[name].given
    addresses = {variable: urlsplit(value) for variable, value in given.items() if "://" in value}
    # Clients', who are outside; tests of the containers hold it to what is published.
    addresses.pop("ANTIPHON_S3_PUBLIC_ENDPOINT", None)
    assert addresses
    for variable, url in addresses.items():
        assert (url.hostname in ports, url.port) == (True, ports.get(url.hostname or "")), f"{variable}={url.geturl()}"
    for service in SERVICES:
        upstream = addresses.get(f"ANTIPHON_{service.upper()}_URL")
        assert upstream is None or upstream.hostname == service


def test_no_secret_stands_in_the_file(shares: dict[str, dict[str, str]]) -> None:
    words = ("PASSWORD", "SECRET", "KEY", "TOKEN")
    for container in COMPOSITION.containers.values():
        told = {name for name in container.given if any(word in name for word in words)}
        assert {name for name in told if not name.endswith(("_FILE", "_DIR"))} == set()
    assert COMPOSITION.containers["postgres"].given["POSTGRES_PASSWORD_FILE"] in {
        str(MOUNT / file) for file in shares["postgres"]
    }
