"""Each import rule notices when it is broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.house.conftest import Tree

# contract, the module that breaks it, what it imports
VIOLATIONS = [
    pytest.param("packages", "libs/ids.py", "services.planted.domain", id="a lib imports a service"),
    pytest.param("packages", "services/planted/store.py", "deploy", id="a service imports the deployment"),
    pytest.param("packages", "libs/ids.py", "tests.conftest", id="product code imports tests"),
    pytest.param("services", "services/planted/adapters.py", "services.other.domain", id="a service imports another"),
    pytest.param("rooms", "services/planted/domain.py", "services.planted.store", id="the domain imports the store"),
    pytest.param("rooms", "services/planted/store.py", "services.planted.usecases", id="the store imports a use case"),
    pytest.param("rooms", "services/planted/usecases.py", "services.planted.api", id="a use case imports the api"),
    pytest.param("rooms", "services/planted/api.py", "services.planted.consumers", id="the api imports the consumers"),
    pytest.param("rooms", "services/planted/settings.py", "services.planted.domain", id="settings import the domain"),
    pytest.param("rooms", "services/planted/helpers.py", "services.planted.domain", id="a new kind of room"),
    pytest.param("domain", "services/planted/domain.py", "sqlalchemy", id="the domain imports a framework"),
    pytest.param("domain", "services/planted/domain.py", "time", id="the domain reads a clock"),
    pytest.param("domain", "services/planted/domain.py", "libs.database", id="the domain imports a lib with I/O"),
    pytest.param("domain", "services/planted/domain.py", "services.planted.settings", id="the domain reads settings"),
    pytest.param("domain", "services/planted/domain/prices.py", "socket", id="a domain package opens a socket"),
    pytest.param("libs", "libs/contracts/planted.py", "libs.messaging", id="contracts import messaging"),
    pytest.param("libs", "libs/messaging/planted.py", "libs.outbox", id="messaging imports the outbox"),
    pytest.param("libs", "libs/common.py", "libs.ids", id="a lib without a place among the others"),
]


@pytest.mark.parametrize(("contract", "path", "imported"), VIOLATIONS)
def test_a_broken_rule_is_noticed(plant: Callable[..., Tree], contract: str, path: str, imported: str) -> None:
    tree = plant()
    for service in ("planted", "other"):
        for room in ("main", "api", "consumers", "usecases", "store", "adapters", "settings", "domain"):
            in_a_package = path.startswith(f"services/{service}/{room}/")
            tree.write(f"services/{service}/{room}{'/__init__' if in_a_package else ''}.py", "")
    check = ("lint-imports", "--no-logo", "--no-cache", "--contract", contract)
    module = path.removesuffix(".py").replace("/", ".")
    named_before = module in tree.run(*check)[1]

    tree.write(path, f"import {imported}\n")

    status, said = tree.run(*check)
    assert status == 1, said
    assert "BROKEN" in said
    assert module in said
    assert not named_before
