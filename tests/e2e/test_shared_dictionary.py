"""Several clients change one pronunciation dictionary at the same time, and every change counts."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from tests.support.api import Answer, Api

AT_ONCE = 8
PATH = "/elevenlabs/v1/pronunciation-dictionaries"


def _rule(phrase: str) -> dict[str, Any]:
    return {"type": "alias", "string_to_replace": phrase, "alias": f"{phrase} spoken"}


async def _phrases(api: Api, dictionary: str) -> list[str]:
    rules = (await api.get(f"{PATH}/{dictionary}")).json["rules"]
    return sorted(rule["string_to_replace"] for rule in rules)


async def test_rules_that_are_added_and_removed_at_once_are_all_added_and_removed(api: Api) -> None:
    wanted = {"name": f"Shared {uuid4().hex[:8]}", "rules": [_rule("first")]}
    made = await api.post(f"{PATH}/add-from-rules", json=wanted)
    assert made.status == 200, made.content
    dictionary = made.json["id"]
    phrases = [f"word{number}" for number in range(AT_ONCE)]

    async def change(action: str, document: dict[str, Any]) -> Answer:
        return await api.post(f"{PATH}/{dictionary}/{action}", json=document)

    added = await asyncio.gather(*(change("add-rules", {"rules": [_rule(phrase)]}) for phrase in phrases))
    assert [answer.status for answer in added] == [200] * AT_ONCE
    assert await _phrases(api, dictionary) == ["first", *phrases]
    removed = await asyncio.gather(*(change("remove-rules", {"rule_strings": [phrase]}) for phrase in phrases))
    assert [answer.status for answer in removed] == [200] * AT_ONCE
    assert await _phrases(api, dictionary) == ["first"]


async def test_a_version_that_follows_an_old_one_is_refused(api: Api) -> None:
    rules = [{"phrase": "Antiphon", "replacement": "an tee fon"}]
    made = await api.post("/v1/dictionaries", json={"name": f"Own {uuid4().hex[:8]}", "rules": rules})
    versions = f"/v1/dictionaries/{made.json['id']}/versions"
    assert (await api.post(versions, json={"rules": rules, "after_version": 1})).json["version"] == 2
    refused = await api.post(versions, json={"rules": rules, "after_version": 1})
    assert (refused.status, refused.json["code"], refused.json["version"]) == (409, "dictionary_changed", 2)
    assert (await api.post(versions, json={"rules": rules})).json["version"] == 3
