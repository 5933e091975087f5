"""Two organisations on one stack: one that has something of everything, and one that must notice none of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from libs.apikeys import new_api_key
from libs.ids import new_id
from services.gateway.domain.access import Role
from services.gateway.domain.credentials import digest_of, shown_prefix
from tests.chaos.books import database
from tests.support.api import Answer, Api
from tests.support.polling import eventually
from tests.support.stack import Stack
from tests.support.uploads import announced, uploaded

CANARY = "zaunkoenig"
"""In every name and text of the organisation whose things nobody else may see."""


@dataclass(frozen=True)
class Things:
    """What one organisation has: an id for each path parameter of the document, by the parameter's name."""

    ids: Mapping[str, str]

    @property
    def unmistakable(self) -> list[str]:
        """The ids that stand for nothing else, as the number of a version does."""
        return [one for one in self.ids.values() if len(one) > 8]

    def __getitem__(self, parameter: str) -> str:
        return self.ids[parameter]


@dataclass
class Tenant:
    """An organisation with a key of each role, the owner's being that of `api`."""

    api: Api
    keys: dict[Role, str] = field(default_factory=dict)


async def new_organization(stack: Stack, name: str) -> str:
    """Make an organisation and return a key of its own that may do everything."""
    org, key, now = new_id(), new_api_key(), datetime.now(UTC)
    async with database(stack, "gateway") as connection:
        await connection.execute(
            "insert into organizations (id, name, plan, created_at, updated_at) values ($1, $2, 'enterprise', $3, $3)",
            org,
            name,
            now,
        )
        await connection.execute(
            "insert into api_keys (id, org_id, name, prefix, hash, created_at, role)"
            " values ($1, $2, $3, $4, $5, $6, 'owner')",
            new_id(),
            org,
            f"{name}'s key",
            shown_prefix(key),
            digest_of(key),
            now,
        )
    return key


async def keys_of_all_roles(api: Api) -> dict[Role, str]:
    """Make a key of each role; returns them by role."""
    keys = {}
    for role in Role:
        wanted = {"name": f"As {role}", "owner": "organization", "role": role, "scopes": sorted(role.scopes)}
        keys[role] = made(await api.post("/v1/keys", json=wanted))["key"]
    return keys


def made(answer: Answer) -> dict[str, Any]:  # Any: JSON
    """Return what was made; fails when it was not."""
    assert answer.status in (200, 201, 202), (answer.status, answer.content)
    body: dict[str, Any] = answer.json
    return body


async def _voice(api: Api, word: str) -> str:
    return str(made(await api.upload_voice(f"{word} {uuid4().hex[:6]}"))["id"])


async def _sample(api: Api, voice_id: str) -> str:
    return str(made(await api.get(f"/v1/voices/{voice_id}/samples"))["items"][0]["id"])


async def system_voice(api: Api) -> str:
    """Return the id of a voice that everybody has."""
    voices = made(await api.get("/v1/voices", params={"variant": "SYSTEM", "limit": "1"}))["items"]
    return str(voices[0]["id"])


async def _generation(api: Api, word: str) -> str:
    return str((await api.speak(f"The {word} sings {uuid4().hex[:6]}.", await system_voice(api)))["id"])


async def _dictionary(api: Api, word: str) -> str:
    rules = [{"phrase": word, "replacement": "a small bird"}]
    answer = await api.post("/v1/dictionaries", json={"name": f"{word} {uuid4().hex[:6]}", "rules": rules})
    return str(made(answer)["id"])


async def _key(api: Api, word: str) -> str:
    return str(made(await api.post("/v1/keys", json={"name": f"{word} {uuid4().hex[:6]}"}))["id"])


async def _document(api: Api, word: str) -> str:
    text = f"The {word} is a small bird. {uuid4().hex[:6]}"
    return str(made(await api.post("/v1/documents", json={"title": f"Of the {word}", "text": text}))["id"])


async def _invitation(api: Api, word: str) -> str:
    wanted = {"email": f"{word}-{uuid4().hex[:6]}@example.org"}
    return str(made(await api.post("/v1/invitations", json=wanted))["id"])


async def _member(api: Api, word: str) -> str:
    email = f"{word}-{uuid4().hex[:6]}@example.org"
    token = made(await api.post("/v1/invitations", json={"email": email}))["token"]
    return str(made(await api.post("/v1/invitations/accept", json={"token": token, "name": word}))["user_id"])


async def _export(api: Api, word: str) -> str:
    return str(made(await api.post(f"/v1/members/{await _member(api, word)}/export"))["id"])


async def _webhook(api: Api, word: str) -> str:
    url = f"https://example.com/{word}/{uuid4().hex[:6]}"
    return str(made(await api.post("/v1/webhooks", json={"url": url, "events": ["voice.*"]}))["id"])


async def _delivery(api: Api, webhook_id: str) -> str:
    path = f"/v1/webhooks/{webhook_id}"
    made(await api.post(f"{path}/test"))

    async def first() -> str | None:
        items = made(await api.get(f"{path}/deliveries"))["items"]
        return str(items[0]["id"]) if items else None

    delivery = await eventually(first, within=30, what="a delivery to be listed")
    assert delivery is not None
    return delivery


async def _track(api: Api, generation_id: str) -> str:
    async def first() -> str | None:
        items = made(await api.get("/v1/tracks", params={"generation_id": generation_id}))["items"]
        return str(items[0]["id"]) if items else None

    track = await eventually(first, within=30, what="a track to be listed")
    assert track is not None
    return track


async def _itself(_api: Api, generation_id: str) -> str:
    return generation_id


async def _upload(api: Api, word: str) -> str:
    wanted = announced(uuid4().bytes, filename=f"{word}.wav", owner=word)
    return str(made(await api.post("/v1/uploads", json=wanted))["id"])


async def _media(api: Api, word: str) -> str:
    content = f"The {word} is a small bird. {uuid4().hex[:6]}".encode()
    wanted = {"purpose": "document", "content_type": "text/plain", "filename": f"{word}.txt", "owner": word}
    return str((await uploaded(api, content, **wanted))["id"])


Maker = Callable[[Api, str], Awaitable[str]]
MAKERS: Mapping[str, Maker] = {
    "voice_id": _voice,
    "generation_id": _generation,
    "dictionary_id": _dictionary,
    "key_id": _key,
    "document_id": _document,
    "invitation_id": _invitation,
    "user_id": _member,
    "export_id": _export,
    "upload_id": _upload,
    "media_id": _media,
    "webhook_id": _webhook,
}
"""How a thing is made that a path parameter names; the word goes into its name or text."""
WITHIN = {
    "sample_id": ("voice_id", _sample),
    "delivery_id": ("webhook_id", _delivery),
    "history_item_id": ("generation_id", _itself),
    "track_id": ("generation_id", _track),
}
"""Parts of other things, and other names of them: of what they are part, and how one is found."""
NOT_OF_TENANTS = {
    "model": "tts-1",
    "version_id": "1",
    "erasure_id": "01990a6e-7b1c-7d5e-9f0a-3c5b8e2d4f61",
    "organization_id": "01990a6e-7b1c-7d5e-9f0a-3c5b8e2d4f62",
}
"""Parameters that name what belongs to nobody, or to an organisation that is no more, or that only count within a
thing, and what they are."""
REMOVERS = {
    "voice_id": "/v1/voices/{}",
    "generation_id": "/v1/generations/{}",
    "dictionary_id": "/v1/dictionaries/{}",
    "key_id": "/v1/keys/{}",
    "document_id": "/v1/documents/{}",
    "invitation_id": "/v1/invitations/{}",
    "user_id": "/v1/members/{}",
    "export_id": "/v1/exports/{}",
    "upload_id": "/v1/uploads/{}",
    "media_id": "/v1/media/{}",
    "webhook_id": "/v1/webhooks/{}",
}


async def make_things(api: Api, word: str) -> Things:
    """Make one thing of each kind."""
    ids = {name: await make(api, word) for name, make in MAKERS.items()}
    for name, (whole, find) in WITHIN.items():
        ids[name] = await find(api, ids[whole])
    return Things(ids)


async def remove_things(api: Api, things: Things) -> None:
    """Delete all of them."""
    for name, path in REMOVERS.items():
        answer = await api.delete(path.format(things[name]))
        assert answer.status == 204, (name, answer.status, answer.content)


def unknown_things() -> Things:
    """Ids that nothing has ever had."""
    return Things({name: str(new_id()) for name in (*MAKERS, *WITHIN)})


def malformed_things() -> list[Things]:
    """What is no id, in several ways."""
    wrong = ["not-an-id", "0", str(uuid4())[:-1], f"{uuid4()}0", str(UUID(int=0)), "a" * 200, "%00", "%2e%2e%2f", "*"]
    return [Things(dict.fromkeys((*MAKERS, *WITHIN), one)) for one in wrong]
