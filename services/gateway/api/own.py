"""The routes that the gateway answers itself: its application, and how a request gets to it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Message, Receive, Send

from libs.web import Problem, create_app
from libs.web.app import Readiness
from libs.web.problems import request_id_of
from services.gateway.api.asked import Asked, Handler
from services.gateway.api.dialects import render
from services.gateway.api.problems import PROBLEMS
from services.gateway.domain.access import Credential
from services.gateway.domain.failures import BodyTooLarge
from services.gateway.usecases.deps import Deps

welcome_router = APIRouter()
ROUTERS: Sequence[APIRouter] = (welcome_router,)

_ASKED = "antiphon.asked"
"""Where a request's scope holds what the door found out about it."""


class Links(BaseModel):
    """Where to go from here."""

    voices: str = "/v1/voices"
    generations: str = "/v1/generations"
    usage: str = "/v1/usage"
    search: str = "/v1/search"
    health: str = "/healthz"
    readiness: str = "/readyz"


class Welcome(BaseModel):
    """What this is."""

    name: str
    version: str
    links: Links


_WELCOME = Welcome(name="Antiphon", version=version("antiphon"), links=Links())


@welcome_router.get("/")
async def welcome() -> Welcome:
    """Say what answers here, and where to go on."""
    return _WELCOME


def create_own(deps: Deps, readiness: Readiness) -> FastAPI:
    """Return the application of all routes that the gateway answers itself."""
    router = APIRouter()
    for part in ROUTERS:
        router.include_router(part)
    return create_app(
        "gateway", router, identity=None, problems=PROBLEMS, readiness=readiness, deps=deps, respond=_respond
    )


def own_handler(own: FastAPI) -> Handler:
    """Return what answers a request from the gateway's own application."""

    async def answer(asked: Asked, receive: Receive, send: Send) -> None:
        asked.scope[_ASKED] = asked
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


def asked_of(request: Request) -> Asked:
    """Return what the door found out about a request of a route in the table."""
    asked: Asked = request.scope[_ASKED]
    return asked


def _credential(request: Request) -> Credential:
    credential = asked_of(request).credential
    assert credential is not None, "a route that wants a credential has a scope in the table"
    return credential


def _deps(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


CredentialOf = Annotated[Credential, Depends(_credential)]
"""A route's parameter: who is asking, and what they may do."""
DepsOf = Annotated[Deps, Depends(_deps)]


def _respond(problem: Problem, request: Request) -> Response:
    asked: Asked | None = request.scope.get(_ASKED)
    dialect = asked.route.dialect if asked else "antiphon"
    body, media_type = render(problem, dialect, asked.request_id if asked else request_id_of(request))
    return Response(body, problem.status, headers=dict(problem.headers), media_type=media_type)
