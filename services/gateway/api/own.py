"""The gateway's own application: the routes that it answers itself, and how a request gets to them."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from libs.web import Problem, create_app
from libs.web.app import Readiness
from libs.web.problems import request_id_of
from services.gateway.api import (
    api_keys,
    documentation,
    erasures,
    events,
    exports,
    members,
    organizations,
    product_events,
    subscriptions,
    webhooks,
    welcome,
)
from services.gateway.api.asked import Asked, Handler
from services.gateway.api.dialects import render
from services.gateway.api.elevenlabs import router as elevenlabs_router
from services.gateway.api.openai import models as openai_models
from services.gateway.api.openai import speech as openai_speech
from services.gateway.api.parts import ASKED
from services.gateway.api.problems import PROBLEMS
from services.gateway.domain.failures import BodyTooLarge
from services.gateway.domain.routes import dialect_of
from services.gateway.usecases.deps import Deps

ROUTERS: Sequence[APIRouter] = (
    welcome.router,
    documentation.router,
    events.router,
    webhooks.router,
    openai_models.router,
    openai_speech.router,
    api_keys.router,
    elevenlabs_router,
    members.router,
    organizations.router,
    subscriptions.router,
    erasures.router,
    product_events.router,
    exports.router,
)


def create_own(deps: Deps, readiness: Readiness) -> FastAPI:
    """Return the application of all routes that the gateway answers itself."""
    router = APIRouter()
    for part in ROUTERS:
        router.include_router(part)
    return create_app(
        "gateway",
        router,
        identity=None,
        problems=PROBLEMS,
        readiness=readiness,
        deps=deps,
        respond=_respond,
        is_untraced=_needs_no_key,
    )


def _needs_no_key(scope: Scope) -> bool:
    """Say whether an id in the path may be all that is needed: the door's span, which has none, is enough."""
    asked: Asked | None = scope.get(ASKED)
    return asked is not None and asked.route.scope is None


def own_handler(own: FastAPI) -> Handler:
    """Return what answers a request from the gateway's own application."""

    async def answer(asked: Asked, receive: Receive, send: Send) -> None:
        asked.scope[ASKED] = asked
        limit, length = asked.route.body_bytes, asked.headers.content_length
        if length is not None and length > limit:
            raise BodyTooLarge(limit)
        await own(asked.scope, _counted(receive, limit), send)

    return answer


def _counted(receive: Receive, limit: int) -> Receive:
    """Return `receive` that raises BodyTooLarge behind `limit` bytes."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise BodyTooLarge(limit)
        return message

    return counted


def _respond(problem: Problem, request: Request) -> Response:
    asked: Asked | None = request.scope.get(ASKED)
    dialect = asked.route.dialect if asked else dialect_of(request.url.path)
    told = render(problem, dialect, asked.request_id if asked else request_id_of(request))
    return Response(told.body, told.status, headers=dict(told.headers), media_type=told.media_type)
