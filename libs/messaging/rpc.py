"""Request and reply over core NATS, for a decision that must be made before work starts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import nats.errors
from google.protobuf.message import DecodeError, Message
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from libs.messaging.connection import Bus
from libs.messaging.policy import Unavailable
from libs.telemetry import current_trace_headers, trace_context

logger = logging.getLogger(__name__)

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)

ERROR_HEADER = "Antiphon-Error"
RETRY_PAUSE = 0.1
_tracer = trace.get_tracer("antiphon.rpc")


def rpc_subject(service: str, method: str) -> str:
    """Return the subject on which `service` answers `method`."""
    return f"rpc.{service}.{method}"


class RpcServer:
    """Answers one method; all replicas of a service share the requests."""

    def __init__(
        self,
        bus: Bus,
        service: str,
        method: str,
        request: type[Request],
        handler: Callable[[Request], Awaitable[Message]],
        *,
        concurrency: int = 32,
    ) -> None:
        """`handler` runs for at most `concurrency` requests at once; its exceptions reach the caller."""
        self._bus = bus
        self._service = service
        self._subject = rpc_subject(service, method)
        self._request: type[Message] = request
        # The request class and the handler fit each other, as the signature demands.
        self._handler: Callable[[Message], Awaitable[Message]] = handler  # type: ignore[assignment]
        self._slots = asyncio.Semaphore(concurrency)
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Begin to answer."""
        self._subscription = await self._bus.client.subscribe(self._subject, queue=self._service, cb=self._accept)

    async def stop(self) -> None:
        """Accept nothing more and finish what was accepted."""
        if self._subscription is not None:
            with suppress(nats.errors.Error):
                await self._subscription.unsubscribe()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    async def _accept(self, message: Msg) -> None:
        # A task each: the client library runs callbacks of one subscription one after the other.
        task = asyncio.create_task(self._answer(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Msg) -> None:
        async with self._slots:
            with _tracer.start_as_current_span(
                f"process {self._subject}", context=trace_context(message.headers), kind=SpanKind.SERVER
            ):
                try:
                    reply = await self._handler(self._request.FromString(message.data))
                except DecodeError:
                    await self._refuse(message, "undecodable request")
                except Exception as error:
                    logger.exception("rpc failed", extra={"subject": self._subject})
                    await self._refuse(message, type(error).__name__)
                else:
                    await self._bus.client.publish(message.reply, reply.SerializeToString())

    async def _refuse(self, message: Msg, reason: str) -> None:
        await self._bus.client.publish(message.reply, headers={ERROR_HEADER: reason})


async def call(
    bus: Bus, service: str, method: str, request: Message, reply: type[Reply], *, patience: float, attempt: float = 2.0
) -> Reply:
    """Ask `service` and return its reply.

    Repeats for up to `patience` seconds while nobody answers, so requests must be safe to repeat.
    Raises Unavailable when nobody answered in time or the answer was an error.
    """
    subject = rpc_subject(service, method)
    deadline = asyncio.get_running_loop().time() + patience
    with _tracer.start_as_current_span(f"send {subject}", kind=SpanKind.CLIENT):
        while True:
            try:
                answer = await bus.client.request(
                    subject, request.SerializeToString(), timeout=attempt, headers=current_trace_headers() or None
                )
                refusal = (answer.headers or {}).get(ERROR_HEADER)
                if refusal is None:
                    return reply.FromString(answer.data)
                reason = f"it answered {refusal}"
            except (TimeoutError, nats.errors.Error) as error:
                reason = type(error).__name__
            if asyncio.get_running_loop().time() + RETRY_PAUSE > deadline:
                raise Unavailable(f"{service} did not answer {method}: {reason}")
            await asyncio.sleep(RETRY_PAUSE)
