from __future__ import annotations

import stat
from pathlib import Path

import pytest

from deploy.embedded.credentials import ensure_secrets
from deploy.embedded.environment import program_environment, shell_exports
from deploy.embedded.home import Home
from deploy.embedded.programs import PROGRAMS, SERVICES
from libs.apikeys import is_well_formed

PORTS = {"postgres": 1, "nats": 2, "nats_monitor": 3, "s3": 4} | {
    program.name: number for number, program in enumerate(PROGRAMS, 10) if program.kind != "once"
}
BY_NAME = {program.name: program for program in PROGRAMS}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    ensure_secrets(home.secrets)
    return home


def environment(name: str, home: Home, **caller: str) -> dict[str, str]:
    return program_environment(BY_NAME[name], home, PORTS, caller)


def test_secrets_are_private_and_made_once(home: Home) -> None:
    files = [path for path in home.secrets.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    before = {path: path.read_text() for path in files}
    assert len(set(before.values())) == len(before)
    assert is_well_formed((home.secrets / "api_key").read_text())
    (home.secrets / "nats_voice").unlink()
    ensure_secrets(home.secrets)
    changed = [path.name for path, text in before.items() if path.read_text() != text]
    assert changed == ["nats_voice"]


@pytest.mark.parametrize("name", [name for name in BY_NAME if name != "init"])
def test_each_program_has_its_own_address_database_and_user(name: str, home: Home) -> None:
    found, service = environment(name, home), BY_NAME[name].service
    assert found["ANTIPHON_PORT"] == str(PORTS[name])
    assert found["ANTIPHON_DATABASE_URL"] == f"postgresql://{service}_app@127.0.0.1:1/antiphon_{service}"
    assert found["ANTIPHON_NATS_USER"] == name
    for variable, value in found.items():
        if variable.endswith("_FILE"):
            assert Path(value).is_file(), variable


def test_only_the_gateway_has_every_key_and_address(home: Home) -> None:
    gateway, voice = environment("gateway", home), environment("voice", home)
    assert set(SERVICES) - {"gateway"} == {path.name for path in Path(gateway["ANTIPHON_IDENTITY_KEYS_DIR"]).iterdir()}
    assert "ANTIPHON_IDENTITY_KEY_FILE" not in gateway
    assert gateway["ANTIPHON_VOICE_URL"] == f"http://127.0.0.1:{PORTS['voice']}"
    assert "ANTIPHON_IDENTITY_KEYS_DIR" not in voice
    assert "ANTIPHON_BOOTSTRAP_KEY_FILE" not in voice


def test_no_secret_is_in_an_environment(home: Home) -> None:
    secrets = {path.read_text() for path in home.secrets.rglob("*") if path.is_file()}
    for name in BY_NAME:
        assert not secrets & set(environment(name, home).values())


def test_what_the_caller_sets_passes_but_for_what_the_stack_decides(home: Home) -> None:
    found = environment(
        "worker",
        home,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://collector:4318",
        ANTIPHON_ENGINE_PROCESSES="2",
        ANTIPHON_ENVIRONMENT="staging",
        ANTIPHON_NATS_URL="nats://elsewhere:1",
        ANTIPHON_API_KEY="of a person",
    )
    assert found["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4318"
    assert found["ANTIPHON_ENGINE_PROCESSES"] == "2"
    assert found["ANTIPHON_ENVIRONMENT"] == "staging"
    assert found["ANTIPHON_NATS_URL"] == "nats://127.0.0.1:2"
    assert "ANTIPHON_API_KEY" not in found
    assert environment("worker", home)["ANTIPHON_ENVIRONMENT"] == "embedded"


def test_exports_name_every_address(home: Home) -> None:
    exports = shell_exports(home, PORTS)
    assert exports["ANTIPHON_URL"] == f"http://127.0.0.1:{PORTS['gateway']}"
    assert {f"ANTIPHON_{service.upper()}_DATABASE_URL" for service in SERVICES} <= exports.keys()
