"""docs/settings.md names every variable that a program reads, with its default, and no other."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from deploy.init import InitSettings
from libs.service.settings import ResourceSettings, ServiceSettings
from libs.speech.adapters.settings import EngineSettings
from services.analytics.settings import Settings as AnalyticsSettings
from services.embedding.settings import Settings as EmbeddingSettings
from services.gateway.settings import Settings as GatewaySettings
from services.generation.settings import Settings as GenerationSettings
from services.generation.settings import WorkerSettings
from services.storage.settings import Settings as StorageSettings
from services.voice.settings import Settings as VoiceSettings
from tests.contract.house import ROOT

PAGE = (ROOT / "docs" / "settings.md").read_text("utf-8")
SECTIONS: Mapping[str, type[BaseSettings]] = {
    "Every service and the worker": ServiceSettings,
    "Voice, generation, storage, embedding and analytics": ResourceSettings,
    "Gateway": GatewaySettings,
    "Generation": GenerationSettings,
    "Worker": WorkerSettings,
    "Other engines, of the worker": EngineSettings,
    "Storage": StorageSettings,
    "Embedding": EmbeddingSettings,
    "Analytics": AnalyticsSettings,
    "Initialisation": InitSettings,
}
COMMON = {*ServiceSettings.model_fields, *ResourceSettings.model_fields, *EngineSettings.model_fields}
INTERNAL = {"ANTIPHON_SUPERVISED_HOME"}
"""What processes of the embedded stack know each other by."""


def rows_of(title: str) -> dict[str, str]:
    """The variables of a section's table and what their defaults are said to be."""
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (found,) = (one for one in section if one.startswith(f"{title}\n"))
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", found, re.MULTILINE))


def fields_of(settings: type[BaseSettings]) -> dict[str, FieldInfo]:
    """The fields that are this class's own, by their variables."""
    inherited = COMMON if settings not in (ServiceSettings, ResourceSettings, EngineSettings) else set()
    if settings is ResourceSettings:
        inherited = set(ServiceSettings.model_fields)
    own = {name: field for name, field in settings.model_fields.items() if name not in inherited}
    return {str(field.validation_alias or f"ANTIPHON_{name.upper()}"): field for name, field in own.items()}


def shown(default: object) -> str:
    """A default as the page writes it."""
    if default is PydanticUndefined:
        return "required"
    if default is None or default in ("", ()):
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    return (
        f"{default:,g}" if isinstance(default, float) else f"{default:,}" if isinstance(default, int) else str(default)
    )


@pytest.mark.parametrize("title", SECTIONS)
def test_a_table_has_each_setting_with_its_default(title: str) -> None:
    fields, rows = fields_of(SECTIONS[title]), rows_of(title)
    assert set(rows) == set(fields)
    computed = {name for name, field in fields.items() if field.default_factory is not None}
    wrong = {name: shown(field.default) for name, field in fields.items() if name not in computed}
    assert {name: default for name, default in rows.items() if name not in computed} == wrong


def test_the_voice_service_reads_what_all_read() -> None:
    assert fields_of(VoiceSettings) == {}


def test_what_the_code_names_is_on_the_page() -> None:
    sources = [path for folder in ("deploy", "libs", "services") for path in (ROOT / folder).rglob("*.py")]
    named = {name for path in sources for name in re.findall(r"ANTIPHON_[A-Z0-9_]*[A-Z0-9]\b", path.read_text("utf-8"))}
    assert {name for name in named - INTERNAL if f"`{name}`" not in PAGE} == set()
