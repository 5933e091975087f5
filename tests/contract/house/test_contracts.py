"""`make contracts-check` notices contracts that are stale, badly written or no longer what was released."""

from __future__ import annotations

from collections.abc import Callable

from tests.contract.house.conftest import Tree

VOICE = "proto/antiphon/voice/v1/events.proto"
DELETED_AT = "google.protobuf.Timestamp deleted_at = 4;"


def test_a_contract_without_its_generated_code_is_stale(plant: Callable[..., Tree]) -> None:
    tree = plant()
    tree.edit(VOICE, DELETED_AT, f"{DELETED_AT}\n  string reason = 5;")

    status, said = tree.make("contracts-check")
    assert status != 0
    assert "stale; run `make contracts`" in said
    assert "libs/contracts/antiphon/voice/v1/events_pb2.py differs" in said

    assert tree.make("contracts")[0] == 0
    status, said = tree.make("contracts-check")
    assert status == 0, said


def test_generated_code_without_a_contract_is_stale(plant: Callable[..., Tree]) -> None:
    tree = plant()
    tree.write("libs/contracts/antiphon/voice/v2/events_pb2.py", "")

    status, said = tree.make("contracts-check")

    assert status != 0
    assert "libs/contracts/antiphon/voice/v2/events_pb2.py has no .proto file" in said


def test_a_badly_named_field_is_noticed(plant: Callable[..., Tree]) -> None:
    tree = plant()
    tree.edit(VOICE, DELETED_AT, "google.protobuf.Timestamp deletedAt = 4;")

    status, said = tree.make("contracts-check")

    assert status != 0
    assert "deletedAt" in said
    assert "`buf lint` failed" in said


def test_what_was_released_stays_readable(plant: Callable[..., Tree]) -> None:
    tree = plant()
    status, said = tree.make("contracts-release")
    assert status == 0 or "nothing changed since release" in said, said
    tree.edit(VOICE, DELETED_AT, "google.protobuf.Timestamp gone_at = 5;")
    assert tree.make("contracts")[0] == 0

    status, said = tree.make("contracts-check")

    assert status != 0
    assert "deleted_at" in said
    assert "`buf breaking` failed" in said
    assert "add a new version beside it" in said


def test_an_added_field_breaks_nothing(plant: Callable[..., Tree]) -> None:
    tree = plant()
    status, said = tree.make("contracts-release")
    assert status == 0 or "nothing changed since release" in said, said
    tree.edit(VOICE, DELETED_AT, f"{DELETED_AT}\n  string reason = 5;")
    assert tree.make("contracts")[0] == 0

    status, said = tree.make("contracts-check")

    assert status == 0, said


def test_documentation_that_says_something_else_is_stale(plant: Callable[..., Tree]) -> None:
    tree = plant()
    tree.edit("docs/events.md", "A voice can be spoken with from now on.", "A voice can sing.")

    status, said = tree.make("contracts-check")
    assert status != 0
    assert "docs/events.md is stale; run `make contracts`" in said

    assert tree.make("contracts")[0] == 0
    assert "A voice can sing." not in (tree.root / "docs/events.md").read_text()
    status, said = tree.make("contracts-check")
    assert status == 0, said


def test_documentation_that_misses_somebody_who_reacts_is_stale(plant: Callable[..., Tree]) -> None:
    tree = plant()
    tree.edit("services/analytics/consumers/spoken.py", "What failed is not billed.", "What failed is free.")

    status, said = tree.make("contracts-check")

    assert status != 0
    assert "docs/events.md is stale" in said
