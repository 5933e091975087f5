"""The handler around all others that keeps a request from being done twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Self

from starlette.types import Message, Receive, Send

from libs.web import Once
from services.gateway.api.asked import Asked, Handler
from services.gateway.api.kept_body import KeptBody
from services.gateway.domain.failures import AnswerLost, BodyTooLarge, IdempotencyKeyReused, RequestStillRunning
from services.gateway.domain.idempotency import (
    STORED_BYTES,
    Course,
    Outcome,
    Record,
    Repeatable,
    checked_key,
    hash_of,
    is_kept_whole,
    outcome_of,
)
from services.gateway.store.idempotency import Taken
from services.gateway.usecases.idempotency import Headers, Requests

REPLAYED = (b"idempotency-replayed", b"true")
RETRY_COUNT = "x-stainless-retry-count"
"""OpenAI's libraries number the attempts of a request with it, from 0."""


def once_each(requests: Requests, following: Handler) -> Handler:
    """Return `following` as a handler that does each request once which may be repeated."""

    async def answer(asked: Asked, receive: Receive, send: Send) -> None:
        keys = asked.headers.idempotency_keys
        is_concerned = asked.route.method == "POST" and asked.credential is not None and asked.route.is_remembered
        # Clients of our own API send a key where a repetition matters; other APIs' libraries cannot.
        if not is_concerned or not (keys or asked.route.dialect != "antiphon"):
            await following(asked, receive, send)
            return
        key = checked_key(keys) if keys else None
        route, headers = asked.route, asked.headers
        if headers.content_length is not None and headers.content_length > route.body_bytes:
            raise BodyTooLarge(route.body_bytes)
        with KeptBody() as body:
            body_hash = await body.read(
                receive,
                limit_bytes=route.body_bytes,
                seconds=route.answer_seconds,
                content_type=headers.value("content-type"),
            )
            async with _Client(receive, send, body) as client:
                await _answer(requests, following, asked, _repeatable(asked, key, body_hash), client)

    return answer


def _repeatable(asked: Asked, key: str | None, body_hash: bytes) -> Repeatable:
    """Return by what a request is known: its key, or else who sends it with which library, and what it says."""
    assert asked.credential is not None
    org_id, headers = asked.credential.org_id, asked.headers
    # What the gateway itself answers may be a secret, made with what one API key may do: no other is told it again.
    holds_secrets = asked.route.service is None and asked.route.dialect == "antiphon"
    whose = (asked.credential.key_id.bytes,) if holds_secrets else ()
    says = hash_of(asked.route.method.encode(), asked.path.encode(), asked.query, body_hash, *whose)
    if key is not None:
        return Repeatable(org_id, hash_of(b"key", key.encode()), says, has_key=True)
    library = (headers.value("user-agent") or "").encode()
    count = headers.value(RETRY_COUNT)
    counts = b"" if count is None else b"counts"
    known_by = hash_of(b"no key", asked.credential.key_id.bytes, library, counts, says)
    return Repeatable(org_id, known_by, says, has_key=False, counts_retries=count is not None, is_first=count == "0")


async def _answer(requests: Requests, following: Handler, asked: Asked, request: Repeatable, client: _Client) -> None:
    found = await requests.take(request)
    if isinstance(found, Record):
        await _answer_again(requests, following, asked, request, found, client)
        return
    asked = replace(asked, once=Once(found.resource_id))
    do = _do_with_key if request.has_key else _do_without_key
    async with requests.doing(found, is_done_here=request.has_key and asked.route.service is None):
        await do(requests, following, asked, found, client)


async def _answer_again(
    requests: Requests, following: Handler, asked: Asked, request: Repeatable, record: Record, client: _Client
) -> None:
    course = requests.course_of(request, record)
    if course is Course.REFUSE_REUSE:
        raise IdempotencyKeyReused
    if course is Course.REFUSE_RUNNING:
        raise RequestStillRunning
    if course is Course.REFUSE_LOST:
        raise AnswerLost
    client.may_leave.set()
    if course is Course.JOIN:
        answer = _Noted(client, partial(requests.joined, request, record), counts_retries=request.counts_retries)
        await following(replace(asked, once=Once(record.resource_id)), client.receive, answer.send)
        return
    kept = requests.kept_answer(request, record) if course is Course.REPLAY else None
    if kept is not None and record.status is not None:
        await _send_kept(client.send, record.status, *kept)
        return
    once = Once(record.resource_id, is_made=True)
    await following(replace(asked, once=once), client.receive, _marked(client.send))


async def _send_kept(send: Send, status: int, headers: Headers, body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    sent = [*headers, REPLAYED] if status == HTTPStatus.NO_CONTENT else [*headers, length, REPLAYED]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})


def _marked(send: Send) -> Send:
    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), REPLAYED]
        await send(message)

    return marked


async def _do_with_key(requests: Requests, following: Handler, asked: Asked, taken: Taken, client: _Client) -> None:
    """Do a request and record its answer before the client has all of it: what it has seen, it sees again."""
    answer = _Held(requests, taken, client)
    try:
        await following(asked, client.receive, answer.send)
    except Exception:
        if not answer.is_passed_on:
            await requests.ended(taken, Outcome.UNCERTAIN)
        raise
    await answer.finish()


async def _do_without_key(requests: Requests, following: Handler, asked: Asked, taken: Taken, client: _Client) -> None:
    """Do a request whose client may repeat it by itself, when it has got no answer or one that says so."""
    client.may_leave.set()
    answer = _Noted(client, partial(requests.ended, taken), counts_retries=taken.request.counts_retries)
    try:
        await following(asked, client.receive, answer.send)
    finally:
        if not answer.is_noted:
            await asyncio.shield(asyncio.ensure_future(requests.ended(taken, Outcome.UNCERTAIN)))


class _Client:
    """The client's side of a request whose body is read.

    That it has left is told to those who do the request once `may_leave` is set: what is to be recorded is finished.
    """

    def __init__(self, receive: Receive, send: Send, body: KeptBody) -> None:
        self.may_leave = asyncio.Event()
        self._receive = receive
        self._send = send
        self._body = body
        self._is_body_taken = False
        self._left = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._watcher.cancel()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._left.set()

    async def receive(self) -> Message:
        """Return the body's next part; afterwards, at some time, that the client has left."""
        if not self._is_body_taken:
            message = self._body.next_message()
            self._is_body_taken = not message["more_body"]
            return message
        await self.may_leave.wait()
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        await self._send(message)

    @property
    def has_left(self) -> bool:
        """Say whether the client is known to wait for no answer any more."""
        return self._left.is_set()


class _Noted:
    """The answer to a request without a key: it passes, and what it means is noted before its end.

    Who has got it all may mean the next equal request as another one, at once.
    """

    def __init__(self, client: _Client, ended: Callable[[Outcome], Awaitable[None]], *, counts_retries: bool) -> None:
        self.is_noted = False
        self._client = client
        self._ended = ended
        self._counts_retries = counts_retries
        self._outcome = Outcome.UNCERTAIN
        self._bytes_left: int | None = None

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on."""
        if message["type"] == "http.response.start":
            self._outcome = outcome_of(message["status"])
            length = next((value for name, value in message.get("headers", ()) if name == b"content-length"), None)
            self._bytes_left = int(length) if length is not None else None
        elif not self.is_noted and self._is_last(message):
            await self._note()
        await self._client.send(message)

    def _is_last(self, message: Message) -> bool:
        """Say whether with this the client has all: where the length is told, it does not wait for the end."""
        if self._bytes_left is not None:
            self._bytes_left -= len(message.get("body", b""))
        return self._bytes_left == 0 or not message.get("more_body", False)

    async def _note(self) -> None:
        outcome = self._outcome
        if outcome is Outcome.ANSWERED:
            # A library that counts says itself whether it has got the answer.
            is_over = not (self._counts_retries or self._client.has_left)
            outcome = Outcome.OVER if is_over else Outcome.UNCERTAIN
        await self._ended(outcome)
        self.is_noted = True


class _Held:
    """The answer to a request with a key: a document is held back until it is recorded, the rest passes.

    What passes is recorded as answered before its first byte: it is made again from what the request has made.
    """

    def __init__(self, requests: Requests, taken: Taken, client: _Client) -> None:
        self.is_passed_on = False
        self._requests = requests
        self._taken = taken
        self._client = client
        self._messages: list[Message] = []
        self._body = b""

    async def send(self, message: Message) -> None:
        """Take a part of the answer."""
        if self.is_passed_on:
            await self._client.send(message)
            return
        self._messages.append(message)
        if message["type"] == "http.response.start":
            is_held = is_kept_whole(message.get("headers", ()))
        else:
            self._body += message.get("body", b"")
            is_held = len(self._body) <= STORED_BYTES
        if not is_held:
            await self._pass_on(None)

    async def finish(self) -> None:
        """Send what was held back, recorded."""
        if not self.is_passed_on:
            await self._pass_on(self._body)

    async def _pass_on(self, body: bytes | None) -> None:
        start = self._messages[0]
        outcome = outcome_of(start["status"])
        if outcome is not Outcome.ANSWERED:
            await self._requests.ended(self._taken, outcome)
        elif not await self._requests.answered(self._taken, start["status"], start.get("headers", []), body):
            # Somebody else took the request over, for whose client the answer is.
            raise RequestStillRunning
        self.is_passed_on = True
        self._client.may_leave.set()
        for message in self._messages:
            await self._client.send(message)
        self._messages.clear()
