"""The two organisations, and what one saw before the other had anything, and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.gateway.domain.access import Role
from tests.document.probes import Seen, operations
from tests.document.tenants import (
    CANARY,
    Things,
    keys_of_all_roles,
    make_things,
    new_organization,
    remove_things,
)
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import Stack

OPERATIONS = operations()
NOTHING = Things({})
MOVING = {"/v1/keys", "/v1/keys/current", "/v1/models", "/v1/generations"}
"""Lists in which something of one's own changes with the time, such as when a key was last used."""
SEARCHES: list[dict[str, Any]] = [
    {"query": CANARY, "mode": mode, "limit": 250} for mode in ("text", "vector", "hybrid")
]


@dataclass
class World:
    """Keys and things of either, and what ours saw before the other one had anything, and after."""

    url: str
    their_key: str
    their_things: Things
    their_former_things: Things
    our_key: str
    our_things: Things
    our_former_things: Things
    our_keys: dict[Role, str]
    before: dict[str, Seen]
    after: dict[str, Seen]
    probes: int = 0


async def make_world(stack: Stack) -> World:
    """Make two organisations, theirs after ours has looked at all that it can see."""
    their_key, our_key = await new_organization(stack, CANARY), await new_organization(stack, "Ours")
    async with Api(stack.url, their_key) as theirs, Api(stack.url, our_key) as ours:
        our_former = await make_things(ours, "sparrow")
        await remove_things(ours, our_former)
        our_things, keys = await make_things(ours, "sparrow"), await keys_of_all_roles(ours)
        await eventually_found(ours, "sparrow")
        before = await collections(ours)
        their_former = await make_things(theirs, CANARY)
        await remove_things(theirs, their_former)
        their_things = await make_things(theirs, CANARY)
        await eventually_found(theirs, CANARY)
        after = await collections(ours)
    return World(
        url=stack.url,
        their_key=their_key,
        their_things=their_things,
        their_former_things=their_former,
        our_key=our_key,
        our_things=our_things,
        our_former_things=our_former,
        our_keys=keys,
        before=before,
        after=after,
    )


async def eventually_found(api: Api, word: str) -> None:
    """Wait until a voice and a generation are found by a word that they have."""

    async def found() -> bool:
        answer = await api.post("/v1/search", json={"query": word, "mode": "text"})
        kinds = {one["source_type"] for one in answer.json["items"]} if answer.status == 200 else set()
        return kinds >= {"voice", "generation", "knowledge"}

    await eventually(found, within=30, what=f"voice and generation to be found by {word}")


async def collections(api: Api) -> dict[str, Seen]:
    """What an organisation sees where no id is named: lists, counts, usage, search."""
    seen = {}
    for operation in OPERATIONS:
        if operation.collection is not None:
            answer = await api.get(operation.collection)
            # What only the operator sees is refused to both.
            is_refused = answer.status == 403 and answer.json["code"] == "not_operator"
            assert answer.status == 200 or is_refused, (operation.path, answer.content)
            seen[operation.path] = Seen.of(answer, NOTHING)
    for search in SEARCHES:
        answer = await api.post("/v1/search", json=search)
        assert answer.status in (200, 503), answer.content
        seen[f"search {search['mode']}"] = Seen.of(answer, NOTHING)
    return seen
