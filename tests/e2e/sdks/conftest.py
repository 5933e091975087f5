"""Other vendors' clients, unmodified, against a whole stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from tests.sdks.suites import Check, run_checks
from tests.support.api import Api
from tests.support.recordings import spoken_wav
from tests.support.stack import Stack
from tests.support.tls import encrypted

Outcome = Callable[[str, str, Check], dict[str, Any]]  # Any: JSON of run.py


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files with a recording that a voice can be made of, and with one that is too short."""
    folder = tmp_path_factory.mktemp("recordings")
    for name, sentences in (("recording", 5), ("short_recording", 1)):
        (folder / f"{name}.wav").write_bytes(spoken_wav(sentences))
    return {name: str(folder / f"{name}.wav") for name in ("recording", "short_recording")}


@pytest.fixture(scope="session")
def secured(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The gateway over TLS, and whose word is to be taken for it."""
    with encrypted(stack.url, tmp_path_factory.mktemp("tls")) as (url, certificate):
        yield {"secure_url": url, "certificate": str(certificate)}


@pytest.fixture(scope="session")
def outcome(stack: Stack, recordings: dict[str, str], secured: dict[str, str]) -> Outcome:
    """What became of a check of a vendor under a version of its client; each module runs once."""

    @cache
    def of_module(version: str, module: str) -> dict[str, Any]:  # Any: JSON of run.py
        given = {"url": stack.url, "api_key": stack.api_key, "version": version, **recordings, **secured}
        return run_checks(version, module, given)

    def of(vendor: str, version: str, check: Check) -> dict[str, Any]:  # Any: JSON of run.py
        found: dict[str, Any] = of_module(version, f"{vendor}.{check.module}")[check.name]
        return found

    return of


@pytest.fixture
async def reading_key(api: Api) -> str:
    """A key that may read speech and no more."""
    made = await api.post("/v1/keys", json={"name": "Reader", "scopes": ["speech:read"]})
    key: str = made.json["key"]
    return key
