from __future__ import annotations

from typing import Any

import pytest

from libs.database import Database
from libs.ids import new_id
from libs.speech.catalogue import SYSTEM_VOICES
from services.voice import domain, store
from services.voice.usecases import Deps
from tests.integration.voice.conftest import Client
from tests.integration.voice.seeded import ready_voice, seed_rows

FIELDS = {
    "id",
    "name",
    "description",
    "category",
    "category_label",
    "language",
    "variant",
    "status",
    "reasons",
    "settings",
    "engine",
    "sample_count",
    "quality",
    "matching",
    "preview_url",
    "created_at",
    "updated_at",
}


@pytest.fixture(autouse=True)
async def system_voices(deps: Deps) -> None:
    """The rows of everybody's voices; nobody listens to them here."""
    await seed_rows(deps)


async def _names(client: Client, **params: Any) -> set[str]:
    answer = await client.get("/v1/voices", limit=100, **params)
    assert answer.status == 200, answer.body
    assert answer.body["next_cursor"] is None
    return {item["name"] for item in answer.body["items"]}


async def test_everybody_finds_the_system_voices_and_no_internals(client: Client) -> None:
    items = (await client.get("/v1/voices")).body["items"]
    assert len(items) == len(SYSTEM_VOICES)
    assert all(set(item) == FIELDS for item in items)
    assert {item["category"] for item in items} == set(domain.Category)
    emma = next(item for item in items if item["name"] == "Emma")
    assert (emma["variant"], emma["status"], emma["language"], emma["category_label"]) == (
        "SYSTEM",
        "ready",
        "en-US",
        "General",
    )
    answer = await client.get(emma["preview_url"])
    assert answer.headers["x-antiphon-handover"] == f"storage /internal/objects/voices/system/{emma['id']}"


async def test_pages_have_neither_gap_nor_repetition(client: Client, deps: Deps) -> None:
    own = [(await ready_voice(deps, client, f"Voice {number}"))["id"] for number in range(9)]
    seen: list[str] = []
    moments: list[str] = []
    params: dict[str, Any] = {"limit": 4}
    while True:
        page = (await client.get("/v1/voices", **params)).body
        seen += [item["id"] for item in page["items"]]
        moments += [item["created_at"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        assert len(page["items"]) == 4
        params["cursor"] = page["next_cursor"]
    assert seen[:9] == own[::-1]
    assert len(seen) == len(set(seen))
    assert set(seen) == {*own, *(str(entry.id) for entry in SYSTEM_VOICES)}
    assert moments == sorted(moments, reverse=True)


async def test_a_page_that_ends_the_list_has_no_cursor(client: Client, deps: Deps) -> None:
    for number in range(3):
        await ready_voice(deps, client, f"Voice {number}")
    assert (await client.get("/v1/voices", variant="CUSTOM", limit=3)).body["next_cursor"] is None
    assert (await client.get("/v1/voices", variant="CUSTOM", limit=2)).body["next_cursor"] is not None


async def test_words_are_found_in_name_and_description_in_any_case(client: Client, deps: Deps) -> None:
    await ready_voice(deps, client, "Café Noir", description="Smoky, 100% her_self")
    assert await _names(client, query="CAFÉ") == {"Café Noir"}
    assert await _names(client, query="cafe\u0301") == {"Café Noir"}
    assert await _names(client, query="smoky") == {"Café Noir"}
    assert await _names(client, query="SELF-HELP audiobook") == {"Aaron"}
    assert await _names(client, query="nothing like this") == set()


async def test_wildcards_are_only_characters(client: Client, deps: Deps) -> None:
    await ready_voice(deps, client, "Odd", description="100% her_self \\ /")
    assert await _names(client, query="%", variant="CUSTOM") == {"Odd"}
    assert await _names(client, query="_", variant="CUSTOM") == {"Odd"}
    assert await _names(client, query="\\", variant="CUSTOM") == {"Odd"}
    assert await _names(client, query="/", variant="CUSTOM") == {"Odd"}
    assert await _names(client, query="100_", variant="CUSTOM") == set()
    assert await _names(client, query="1%0", variant="CUSTOM") == set()


async def test_filters_narrow_the_list_together(client: Client, deps: Deps) -> None:
    await ready_voice(deps, client, "Mine", category="MEDITATION", language="en-US")
    catalogue = {entry.name: entry for entry in SYSTEM_VOICES}

    def entries(**wanted: str) -> set[str]:
        return {name for name, entry in catalogue.items() if all(getattr(entry, k) == v for k, v in wanted.items())}

    assert await _names(client, variant="SYSTEM") == set(catalogue)
    assert await _names(client, variant="CUSTOM") == {"Mine"}
    assert await _names(client, category="MEDITATION") == entries(category="MEDITATION") | {"Mine"}
    assert await _names(client, language="ru-RU") == entries(language="ru-RU")
    assert await _names(client, language="RU-ru") == entries(language="ru-RU")
    english = {name for name, entry in catalogue.items() if entry.language.startswith("en-")}
    assert await _names(client, language="en") == english | {"Mine"}
    both = await _names(client, language="en-US", category="MEDITATION", variant="SYSTEM", query="whispered")
    assert both == {"Luna"}


CASES = {
    "category": ({"category": "SINGING"}, "category", "'AUDIOBOOK'"),
    "category in lower case": ({"category": "audiobook"}, "category", "'AUDIOBOOK'"),
    "variant": ({"variant": "OWN"}, "variant", "'SYSTEM' or 'CUSTOM'"),
    "language": ({"language": "not a tag"}, "language", "BCP 47"),
    "NUL": ({"query": "a\0b"}, "query", "NUL"),
    "long query": ({"query": "x" * 201}, "query", "at most 200 characters"),
    "status": ({"status": "done"}, "status", "'ready'"),
    "limit 0": ({"limit": "0"}, "limit", "greater than or equal to 1"),
    "limit 101": ({"limit": "101"}, "limit", "less than or equal to 100"),
    "limit word": ({"limit": "many"}, "limit", "valid integer"),
    "cursor": ({"cursor": "bm8"}, "cursor", "not a cursor"),
    "cursor of odd characters": ({"cursor": "\0é"}, "cursor", "not a cursor"),
}


@pytest.mark.parametrize(("params", "field", "message"), CASES.values(), ids=CASES)
async def test_parameters_that_are_not_valid_are_named(
    client: Client, params: dict[str, str], field: str, message: str
) -> None:
    answer = await client.get("/v1/voices", **params)
    assert (answer.status, answer.body["code"]) == (422, "invalid_request")
    [error] = answer.body["errors"]
    assert error["field"] == field
    assert message in error["message"]


async def test_categories_tell_how_many_voices_can_be_spoken_with(client: Client, stranger: Client, deps: Deps) -> None:
    before = (await client.get("/v1/voices/categories")).body["items"]
    assert [item["value"] for item in before] == list(domain.Category)
    assert sum(item["count"] for item in before) == len(SYSTEM_VOICES)
    assert all(item["count"] for item in before)
    await ready_voice(deps, client, "Mine", category="PODCAST")
    await client.created("Not yet", category="PODCAST")
    counts = {item["value"]: item["count"] for item in before}
    for somebody, more in ((client, 1), (stranger, 0)):
        items = (await somebody.get("/v1/voices/categories")).body["items"]
        assert {item["value"]: item["count"] for item in items} == counts | {"PODCAST": counts["PODCAST"] + more}
    assert {"value": "CUSTOMER_SERVICE", "label": "Customer Service", "count": counts["CUSTOMER_SERVICE"]} in before


async def test_voices_that_are_not_ready_are_not_listed_unless_asked_for(
    client: Client, database: Database, deps: Deps
) -> None:
    drafted = store.voices.insert().values(
        id=(draft := new_id()),
        org_id=client.org_id,
        name="Draft",
        category="GENERAL",
        language="en-US",
        variant="CUSTOM",
        engine="espeak-ng",
        engine_settings={},
        status="draft",
        revision=1,
        created_at=deps.clock(),
        updated_at=deps.clock(),
    )
    async with database.transaction(client.org_id) as session:
        await session.execute(drafted)
    await client.created("Sent")
    assert await _names(client, variant="CUSTOM") == set()
    assert await _names(client, status="draft") == {"Draft"}
    assert await _names(client, status="processing") == {"Sent"}
    assert (await client.get(f"/v1/voices/{draft}")).body["preview_url"] is None
    answer = await client.get(f"/v1/voices/{draft}/audio")
    assert (answer.status, answer.body["code"]) == (404, "audio_not_found")


@pytest.mark.parametrize("voice_id", ["no-uuid", "00000000-0000-0000-0000-000000000000", "%00", "%F0%9F%98%80"])
async def test_unknown_ids_are_not_found(client: Client, voice_id: str) -> None:
    for method, path in (("GET", ""), ("GET", "/audio"), ("DELETE", "")):
        answer = await client.ask(method, f"/v1/voices/{voice_id}{path}")
        assert (answer.status, answer.body["code"]) == (404, "voice_not_found")
