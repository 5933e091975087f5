"""Where the operator's commands find the databases outside the embedded stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.cli.operator import administrator_database, service_database

ADMINISTRATOR = "ANTIPHON_POSTGRES_ADMIN_URL"


def test_the_administrators_password_is_in_the_url_or_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(ADMINISTRATOR, "postgresql://admin:inside@db:5432/postgres")
    assert administrator_database("gateway") == ("postgresql://admin@db:5432/antiphon_gateway", "inside")
    (tmp_path / "password").write_text("from a file\n")
    monkeypatch.setenv(ADMINISTRATOR, "postgresql://admin@db:5432/postgres")
    monkeypatch.setenv("ANTIPHON_POSTGRES_ADMIN_PASSWORD_FILE", str(tmp_path / "password"))
    assert administrator_database("gateway") == ("postgresql://admin@db:5432/antiphon_gateway", "from a file")


def test_a_services_database_is_its_own_or_the_administrators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTIPHON_VOICE_DATABASE_URL", raising=False)
    monkeypatch.setenv(ADMINISTRATOR, "postgresql://admin:inside@db:5432/postgres")
    assert service_database("voice") == ("postgresql://admin@db:5432/antiphon_voice", "inside")
    monkeypatch.setenv("ANTIPHON_VOICE_DATABASE_URL", "postgresql://voice_app:own@db:5432/antiphon_voice")
    assert service_database("voice") == ("postgresql://voice_app:own@db:5432/antiphon_voice", None)
