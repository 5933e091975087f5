"""What the pages name is there as they say: commands, make targets, settings with their defaults, routes and links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import pytest
from pydantic_settings import BaseSettings
from typer.core import TyperGroup
from typer.main import get_group

from deploy.cli.main import app
from services.gateway.domain.public_events import FORMS, TYPES
from services.gateway.domain.routes import ROUTES
from tests.contract.compose.test_environment import SETTINGS
from tests.contract.house import ROOT

_WRITTEN = (ROOT / "README.md", *ROOT.glob("docs/**/*.md"))
PAGES = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in _WRITTEN}
SOURCES = [
    *(path for folder in ("deploy", "libs", "services", "tests") for path in (ROOT / folder).rglob("*.py")),
    *(ROOT / name for name in ("docker-compose.yml", "Makefile")),
]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
VENDORS_ROUTES = ("docs/compatibility.md",)
"""Lists what other vendors' clients know, with their routes' names."""
SHELLS = ("sh", "bash", "shell")
each_page = pytest.mark.parametrize("name", sorted(PAGES))


def code_of(page: str) -> Iterator[str]:
    """Lines of the page's blocks, and what stands in backticks in its text."""
    for language, block in FENCED.findall(page):
        if language in (*SHELLS, "console", ""):
            yield from (line.removeprefix("$ ") for line in block.splitlines())
    for paragraph in re.split(r"\n\s*\n", FENCED.sub("", page)):
        yield from (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", paragraph))


def words_behind(program: str, page: str) -> Iterator[list[str]]:
    """What each call of a program on the page says behind its name, up to the end of the command."""
    for code in code_of(page):
        for call in re.findall(rf"(?:^|[\s(;/]){program} ([a-z-][^;|)#>]*)", code):
            words = shlex.split(call.replace("…", ""), posix=False)
            yield list(takewhile(lambda word: word not in ("&", "&&", "2"), words))


@each_page
def test_each_antiphon_command_is_there_with_its_options(name: str) -> None:
    unknown = [words for words in words_behind("antiphon", PAGES[name]) if not is_understood(get_group(app), words)]
    assert unknown == []


def is_understood(command: Any, words: list[str]) -> bool:  # Any: a command of the library that typer brings along
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("-")}
    for position, word in enumerate(words):
        if word.startswith("-"):
            if word not in options | {"--help"}:
                return False
        elif isinstance(command, TyperGroup):
            return word in command.commands and is_understood(command.commands[word], words[position + 1 :])
    return True


@each_page
def test_each_make_target_is_there(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    asked = [word for words in words_behind("make", PAGES[name]) for word in words if re.fullmatch("[a-z-]+", word)]
    assert set(asked) - targets == set()


def defaults() -> dict[str, object]:
    """The settings of all programs, and what each is unless it is set."""
    found: dict[str, object] = {}
    for settings in SETTINGS.values():
        found |= dict(_defaults_of(settings))
    return found


def _defaults_of(settings: type[BaseSettings]) -> Iterator[tuple[str, object]]:
    prefix = settings.model_config.get("env_prefix", "")
    for name, field in settings.model_fields.items():
        variable = str(field.validation_alias) if field.validation_alias else f"{prefix}{name}".upper()
        yield variable, None if field.is_required() else field.get_default(call_default_factory=False)


def test_each_setting_is_there() -> None:
    """As a field of a settings class, or by its name where it is read; `f"ANTIPHON_TEST_S3_{name}"` is a beginning."""
    named = re.findall(r"ANTIPHON_[A-Z0-9_]*", "\n".join(path.read_text("utf-8") for path in SOURCES))
    known, begun = set(defaults()) | set(named), {name for name in named if name.endswith("_") and name != "ANTIPHON_"}
    for name, page in PAGES.items():
        told = re.findall(r"ANTIPHON_[A-Z0-9_]*[A-Z0-9](?![A-Z0-9_])", page)
        assert {setting for setting in told if setting not in known and not _begins(setting, begun)} == set(), name


def _begins(setting: str, begun: set[str]) -> bool:
    return any(setting.startswith(one) for one in begun)


@each_page
def test_each_default_is_what_the_page_says(name: str) -> None:
    told = re.findall(r"`(ANTIPHON_\w+)`\s+\(([\d,.]+)\b(?! MiB)", PAGES[name])
    told += re.findall(r"^\| `(ANTIPHON_\w+)` \| ([\d,.]+) \|", PAGES[name], re.MULTILINE)
    ours = defaults()
    wrong = {
        setting: (said, ours[setting])
        for setting, said in told
        if isinstance(ours.get(setting), int | float) and _number(said) != float(str(ours[setting]))
    }
    assert wrong == {}


def _number(said: str) -> float:
    return float(said.replace(",", ""))


@each_page
def test_each_route_is_there(name: str) -> None:
    if name in VENDORS_ROUTES:
        return
    shapes = {(route.method, re.sub(r"\{\w+\}", "*", route.template)) for route in ROUTES}
    told = re.findall(r"\b(GET|POST|PUT|PATCH|DELETE) (/v1/[^`\s?]*)", PAGES[name])
    assert {pair for pair in told if (pair[0], re.sub(r"\{\w+\}|…", "*", pair[1])) not in shapes} == set()


@each_page
def test_each_link_leads_somewhere(name: str) -> None:
    text = FENCED.sub("", PAGES[name])
    for target, anchor in re.findall(r"\]\((?!https?:|/)([^)#\s]*)(?:#([^)\s]*))?\)", text):
        path = (ROOT / name).parent / target if target else ROOT / name
        assert path.exists(), target
        assert not anchor or anchor in _anchors(path.read_text("utf-8")), anchor


def _anchors(page: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_event_that_clients_are_told_is_in_the_table_with_its_fields() -> None:
    row = re.compile(r"^\| ((?:`[a-z_]+\.[a-z_]+`(?:, )?)+) \|.*\| (.*) \|$", re.MULTILINE)
    told = {
        type_: set(re.findall(r"`(\w+)`", fields))
        for types, fields in row.findall(PAGES["docs/live-events.md"])
        for type_ in re.findall(r"`([^`]+)`", types)
    }
    assert set(told) == TYPES
    for form in FORMS.values():
        assert {*form.fields, *form.renamed.values()} <= told[form.type], form.type


def test_the_readme_leads_to_every_page() -> None:
    linked = {f"docs/{target}" for target in re.findall(r"\]\(docs/([^)#]+)", PAGES["README.md"])}
    assert {page for page in PAGES if page.count("/") == 1} - linked == set()


def test_every_shell_block_is_executed_by_a_test() -> None:
    """But for those that only call make, whose targets are what CI runs."""
    tests = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py"))
    executed = set(re.findall(r'\bpage\("([^"]+)"\)', tests))
    for name, page in PAGES.items():
        blocks = [block for language, block in FENCED.findall(page) if language in ("sh", "bash", "shell")]
        wanting = [
            block for block in blocks if any(not line.startswith("make ") for line in block.splitlines() if line)
        ]
        assert not wanting or name in executed, f"{name} has commands that no test executes: {wanting}"
