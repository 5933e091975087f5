"""The HTTP application of a service: its routes, its errors, its health."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, FastAPI
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from libs.web.identity import IdentityVerifier, Unauthenticated, unauthenticated_problem
from libs.web.problems import ProblemOf, Respond, install_problems, respond

_HEALTH = ("/healthz", "/readyz")

Readiness = Callable[[], Awaitable[dict[str, bool]]]
"""Says for each thing that a service needs whether it is there."""


def create_app(
    service: str,
    router: APIRouter | None,
    *,
    identity: IdentityVerifier | None,
    problems: Mapping[type[Exception], ProblemOf],
    readiness: Readiness,
    deps: object = None,
    respond: Respond = respond,
    is_untraced: Callable[[Scope], bool] = lambda _scope: False,
) -> FastAPI:
    """Return the application; handlers find `deps` as `request.app.state.deps`, and `respond` tells its errors.

    Requests that are `is_untraced` leave no span here, which would hold their path.
    """
    app = FastAPI(
        title=f"Antiphon {service}",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        telemetry={"operation_spans": False, "exclude": lambda scope: _is_health(scope) or is_untraced(scope)},
    )
    app.state.deps = deps
    app.state.identity = identity
    install_problems(app, {Unauthenticated: unauthenticated_problem, **problems}, respond)
    app.include_router(_health(readiness))
    if router is not None:
        app.include_router(router)
    return app


def _is_health(scope: Scope) -> bool:
    return scope.get("path") in _HEALTH


def _health(readiness: Readiness) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> Response:
        return JSONResponse({"status": "alive"})

    @router.get("/readyz")
    async def readyz() -> Response:
        parts = await readiness()
        return JSONResponse(parts, 200 if all(parts.values()) else 503)

    return router
