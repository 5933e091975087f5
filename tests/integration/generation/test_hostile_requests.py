"""Whatever a client sends is answered as its mistake, never as ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from starlette.types import ASGIApp, Message

from libs.ids import new_id
from libs.web import IdentityVerifier, create_app
from libs.web.identity import HEADER, sign
from services.generation.api import PROBLEMS, router
from tests.integration.generation.conftest import World

KEY = b"of this test alone, and long enough"


@dataclass(frozen=True)
class Answer:
    """What the service answered."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Client:
    """Speaks to the service's application without a socket."""

    app: ASGIApp
    world: World

    async def send(
        self, method: str, path: str, body: bytes | object = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        route, _, query = path.partition("?")
        given = {
            "content-type": "application/json",
            HEADER: sign(self.world.caller, "generation", KEY, lambda: datetime.now(UTC)),
            **(headers or {}),
        }
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": route, "raw_path": route.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1), "state": {},
        }  # fmt: skip
        sent: list[Message] = []
        wanted = [{"type": "http.request", "body": content, "more_body": False}]

        async def receive() -> Message:
            if wanted:
                return wanted.pop()
            await asyncio.Event().wait()
            raise AssertionError

        async def take(message: Message) -> None:
            sent.append(message)

        try:
            await self.app(scope, receive, take)
        except Exception:
            # What is not foreseen is answered 500 and goes on to the server, which logs it.
            if not sent:
                raise
        return Answer(sent[0]["status"], b"".join(one.get("body", b"") for one in sent[1:]))


@pytest.fixture
async def client(world: World) -> Client:
    async def ready() -> dict[str, bool]:
        return {}

    identity = IdentityVerifier("generation", KEY)
    app = create_app("generation", router, identity=identity, problems=PROBLEMS, readiness=ready, deps=world.deps)
    return Client(app, world)


HUGE = 10**30
WORDS: tuple[Any, ...] = (  # Any: what JSON can say
    None, True, 0, -1, 1.5, HUGE, -HUGE, "", " ", "\0", "a\0b", "\ud800", "x" * 300, [], [None], {}, {"a": 1},
)  # fmt: skip
FIELDS = (
    "text", "voice_id", "mode", "model_id", "model_voice", "input_type", "language", "format", "speed", "pitch",
    "volume", "seed", "temperature", "top_p", "top_k", "repetition_penalty", "dictionaries", "cache", "unknown",
)  # fmt: skip


async def test_no_field_of_a_request_can_break_it(client: Client) -> None:
    voice_id = str(await client.world.known_voice())
    broken = []
    for name in FIELDS:
        for word in WORDS:
            answer = await client.send("POST", "/v1/generations", {"text": "Hi.", "voice_id": voice_id} | {name: word})
            if answer.status >= 500:
                broken.append((name, word))
    assert broken == []


def _dictionary(**fields: object) -> dict[str, object]:
    return {"name": "Names", "rules": [{"phrase": "a", "replacement": "b"}]} | fields


async def test_no_dictionary_can_break_it(client: Client) -> None:
    rule = {"phrase": "a", "replacement": "b"}
    bodies: list[object] = [_dictionary(**{name: word}) for name in ("name", "description", "rules") for word in WORDS]
    for name in ("kind", "phrase", "replacement", "case_sensitive", "whole_words"):
        bodies += [_dictionary(rules=[rule | {name: word}]) for word in WORDS]
    bodies += [_dictionary(rules=[rule | {"phrase": odd}]) for odd in ("(", "[a", "a{9", "\\", "(?=", ".*+", "$^")]
    bodies += [_dictionary(rules=[rule | {"kind": "ipa", "replacement": odd}]) for odd in ("\0", "q\ud800", "[[x]]")]
    broken = []
    for number, body in enumerate(bodies):
        named = body if not isinstance(body, dict) or body["name"] != "Names" else body | {"name": f"N{number}"}
        answer = await client.send("POST", "/v1/dictionaries", named)
        if answer.status >= 500:
            broken.append(body)
    assert broken == []


@pytest.mark.parametrize(
    "query",
    [
        "text=%00",
        "text=%F0%9F%98%80",
        "text=%ED%A0%80",
        "text=%25_%5C",
        "voice_id=%00",
        "since=0001-01-01T00:00:00%2B14:00",
        "until=9999-12-31T23:59:59-14:00",
        "since=0000-01-01T00:00:00Z",
        "since=99999999999999999999",
        "since=-99999999999",
        "limit=99999999999999999999",
        "limit=-1",
        "cursor=%00",
        "cursor=" + "A" * 5000,
        "cursor=WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwiMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwIl0",
        "cursor=W10",
        "cursor=bnVsbA",
        "cursor=WzEsMl0",
        "status=gone",
        "mode=%F0",
    ],
)
async def test_no_filter_can_break_the_list(client: Client, query: str) -> None:
    assert (await client.send("GET", f"/v1/generations?{query}")).status < 500


def _paths() -> list[tuple[str, str, object]]:
    odd = ["%00", "x", "..", quote("\U0001f600"), "0" * 5000, str(new_id()), "{" + str(new_id()) + "}"]
    paths: list[tuple[str, str, object]] = []
    for one in odd:
        paths += [
            ("GET", f"/v1/generations/{one}{rest}", b"") for rest in ("", "/audio", "/audio/partial", "/attempts")
        ]
        paths += [("GET", f"/v1/generations/{one}/alignment?level=word&format=srt", b"")]
        paths += [("POST", f"/v1/generations/{one}/{what}", b"") for what in ("cancel", "retry")]
        paths += [
            ("POST", f"/v1/generations/{one}/revise", {"text": "a\ud800"}),
            ("DELETE", f"/v1/generations/{one}", b""),
        ]
        paths += [("GET", f"/v1/dictionaries/{one}?version={HUGE}", b""), ("DELETE", f"/v1/dictionaries/{one}", b"")]
        paths += [("POST", "/v1/generations/download", {"ids": [one]})]
    return paths


async def test_no_path_can_break_it(client: Client) -> None:
    broken = [
        (method, path) for method, path, body in _paths() if (await client.send(method, path, body)).status >= 500
    ]
    assert broken == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"seed": ' + b"9" * 10_000 + b"}",
        b'{"speed": NaN}',
        b'"text"',
    ],
    ids=["empty", "cut", "null", "deep", "not-utf8", "endless", "nan", "string"],
)
async def test_no_body_can_break_it(client: Client, body: bytes) -> None:
    for path in ("/v1/generations", "/v1/generations/stream", "/v1/dictionaries", "/v1/generations/download"):
        assert 400 <= (await client.send("POST", path, body)).status < 500


async def test_versions_of_dictionaries_have_bounds(client: Client) -> None:
    made = await client.send("POST", "/v1/dictionaries", _dictionary())
    one = json.loads(made.body)["id"]
    request = {"text": "Hi.", "voice_id": str(await client.world.known_voice())}
    for version in (HUGE, 2**31, 2**63):
        assert (await client.send("GET", f"/v1/dictionaries/{one}?version={version}")).status in (404, 422)
        named = request | {"dictionaries": [{"id": one, "version": version}]}
        assert (await client.send("POST", "/v1/generations", named)).status in (404, 422)


async def test_long_texts_are_refused_by_their_length(client: Client) -> None:
    voice_id = str(await client.world.known_voice())
    for length, mode in ((1_000_001, "job"), (5_001, "interactive")):
        sent = {"text": "a" * length, "voice_id": voice_id, "mode": mode}
        assert (await client.send("POST", "/v1/generations", sent)).status == 422


@pytest.mark.parametrize(
    "markup",
    [
        "<speak>" * 1_000 + "a" + "</speak>" * 1_000,
        "<speak>" + "<p>" * 1_200,
        '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><speak>&d;</speak>',
        "<speak>&#0;&#xD800;&#x110000;</speak>",
        '<speak><break time="99999999999999999999s"/>a</speak>',
        '<speak><prosody rate="1e999%">a</prosody></speak>',
        '<speak><phoneme alphabet="ipa" ph="[[\\">a</phoneme></speak>',
        "<speak></speak>",
        "<",
    ],
    ids=["nested", "unclosed", "entities", "references", "long-break", "rate", "phoneme", "empty", "cut"],
)
async def test_no_markup_can_break_it(client: Client, markup: str) -> None:
    sent = {"text": markup, "voice_id": str(await client.world.known_voice()), "input_type": "ssml"}
    assert (await client.send("POST", "/v1/generations", sent)).status < 500


async def test_no_header_can_break_it(client: Client) -> None:
    sent = {"text": "Hi.", "voice_id": str(await client.world.known_voice())}
    for headers in ({"idempotency-key": "\xff\xfe"}, {"idempotency-key": "k" * 256}, {"prefer": "wait=" + "9" * 400}):
        assert (await client.send("POST", "/v1/generations", sent, headers)).status < 500
