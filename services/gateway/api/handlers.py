"""What answers a request that may pass: a service, or the gateway itself, behind what holds for both."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import Receive, Send

from services.gateway.adapters.services import Services
from services.gateway.api.asked import Asked, Handler
from services.gateway.api.elevenlabs.stream_input import StreamInput
from services.gateway.api.idempotency import once_each
from services.gateway.api.keys import Keys
from services.gateway.api.limits import limited
from services.gateway.api.own import own_handler
from services.gateway.api.problems import PROBLEMS
from services.gateway.api.proxy import Proxy
from services.gateway.api.sockets import Sockets
from services.gateway.domain.route_table import RouteTable
from services.gateway.domain.routes import WEBSOCKETS
from services.gateway.usecases.deps import Deps
from services.gateway.usecases.idempotency import Requests
from services.gateway.usecases.limiter import Limiter


def answers(services: Services, limiter: Limiter, requests: Requests, own: FastAPI) -> Handler:
    """Return the handler of all routes in the table."""
    from_service, from_here = Proxy(services), own_handler(own)

    async def answer(asked: Asked, receive: Receive, send: Send) -> None:
        handler = from_here if asked.route.service is None else from_service
        await handler(asked, receive, send)

    # What a plan does not allow was not begun, and may come again.
    return limited(limiter, once_each(requests, answer))


def websockets(keys: Keys, deps: Deps) -> Sockets:
    """Return what answers WebSockets."""
    handler = StreamInput(deps.services, deps.limiter, deps.voice_names)
    return Sockets(routes=RouteTable(WEBSOCKETS), keys=keys, handler=handler, problems=PROBLEMS)
