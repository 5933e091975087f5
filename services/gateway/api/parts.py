"""What the gateway's own routes take as parameters."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from libs.web import Once
from services.gateway.adapters.asking import Asking
from services.gateway.api.asked import Asked, caller_of
from services.gateway.domain.access import Credential
from services.gateway.usecases.deps import Deps

ASKED = "antiphon.asked"
"""Where a request's scope holds what the door found out about it."""


def asked_of(request: Request) -> Asked:
    """Return what the door found out about a request of a route in the table."""
    asked: Asked = request.scope[ASKED]
    return asked


async def _credential(request: Request) -> Credential:
    credential = asked_of(request).credential
    assert credential is not None, "a route that wants a credential has a scope in the table"
    return credential


async def _deps(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


async def _asking(request: Request, credential: Annotated[Credential, Depends(_credential)]) -> Asking:
    asked = asked_of(request)
    return Asking((await _deps(request)).services, caller_of(credential), asked.request_id, asked.once)


async def _once(request: Request) -> Once | None:
    return asked_of(request).once


CredentialOf = Annotated[Credential, Depends(_credential)]
"""A route's parameter: who is asking, and what they may do."""
OnceOf = Annotated[Once | None, Depends(_once)]
"""A route's parameter: by what the request is known if it is to be done once.

For routes that ask services by themselves. What a route changes in the gateway's own database is done once without it.
"""
DepsOf = Annotated[Deps, Depends(_deps)]
AskingOf = Annotated[Asking, Depends(_asking)]
"""A route's parameter: asks services in the name of who is asking."""
