"""The service's HTTP application."""

from __future__ import annotations

from starlette.types import ASGIApp

from libs.web import IdentityVerifier, create_app
from libs.web.app import Readiness
from services.storage.api.problems import PROBLEMS
from services.storage.api.quick import QuickAudio
from services.storage.api.routes import router
from services.storage.usecases import Deps


def create_storage_app(deps: Deps, identity: IdentityVerifier, readiness: Readiness) -> ASGIApp:
    """Return all that the service answers over HTTP."""
    app = create_app("storage", router, identity=identity, problems=PROBLEMS, readiness=readiness, deps=deps)
    return QuickAudio(app, deps, identity)
