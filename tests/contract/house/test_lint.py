"""`make lint` runs every part, and each part notices what it is there for."""

from __future__ import annotations

from collections.abc import Callable

from tests.contract.house.conftest import Tree

PARTS = ["ruff check", "ruff format --check", "mypy", "lint-imports --no-logo"]
MISTAKES = '''from __future__ import annotations

from services.planted import store


def count(voices: list[str]) -> str:
    """Count voices."""
    try:
        return  len(voices)
    except Exception:
        return store.nothing
'''


def test_each_part_of_lint_fails_on_its_own_mistake_and_is_named(plant: Callable[..., Tree]) -> None:
    tree = plant(also=(".mypy_cache",))
    tree.write("services/planted/store.py", "")
    tree.write("services/planted/domain.py", MISTAKES)

    status, said = tree.make("lint")

    assert status != 0
    style, formatting, types, imports = (said.split(f"--- {part}\n")[1] for part in PARTS)
    assert "BLE001 Do not catch blind exception: `Exception`\n  --> services/planted/domain.py:10:12" in style
    assert "services/planted/domain.py" in formatting
    assert "services/planted/domain.py:9: error: Incompatible return value type" in types
    assert "services.planted.domain -> services.planted.store" in imports
    summary = said.split("lint: these failed")[1]
    assert [part for part in PARTS if part in summary] == PARTS
