"""What operators can get wrong in the embedding service's settings, they hear at once."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from services.embedding.settings import Settings

REQUIRED = {
    "ANTIPHON_PORT": "1",
    "ANTIPHON_DATABASE_URL": "postgresql://embedding_app@127.0.0.1:1/antiphon_embedding",
    "ANTIPHON_DATABASE_PASSWORD_FILE": "/secret",
    "ANTIPHON_NATS_URL": "nats://127.0.0.1:1",
    "ANTIPHON_NATS_USER": "embedding",
    "ANTIPHON_NATS_PASSWORD_FILE": "/secret",
    "ANTIPHON_S3_ENDPOINT": "http://127.0.0.1:1",
    "ANTIPHON_S3_ACCESS_KEY_FILE": "/secret",
    "ANTIPHON_S3_SECRET_KEY_FILE": "/secret",
    "ANTIPHON_IDENTITY_KEY_FILE": "/secret",
    "ANTIPHON_MODEL_DIR": "/models",
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)


def test_the_local_model_needs_its_folder_only(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings()
    assert (settings.embedding_provider, str(settings.model_dir)) == ("local", "/models")
    assert settings.embedding_threads in (1, 2)
    monkeypatch.delenv("ANTIPHON_MODEL_DIR")
    with pytest.raises(ValidationError, match="model_dir"):
        Settings()


def test_a_provider_needs_its_address_and_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_EMBEDDING_PROVIDER", "openai")
    with pytest.raises(ValidationError, match="needs ANTIPHON_EMBEDDING_URL and ANTIPHON_EMBEDDING_MODEL"):
        Settings()
    monkeypatch.setenv("ANTIPHON_EMBEDDING_URL", "https://models.example/v1")
    monkeypatch.setenv("ANTIPHON_EMBEDDING_MODEL", "text-embedding-3-small")
    settings = Settings()
    assert str(settings.embedding_url) == "https://models.example/v1"
    assert settings.embedding_model == "text-embedding-3-small"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANTIPHON_EMBEDDING_PROVIDER", "magic"),
        ("ANTIPHON_EMBEDDING_THREADS", "0"),
        ("ANTIPHON_EMBEDDING_URL", "models.example"),
        ("ANTIPHON_SEARCH_EXACT_CHUNKS", "-1"),
    ],
)
def test_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()
