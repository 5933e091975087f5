"""Objects of voices, for whoever the voice service has let through."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from libs.objectstore import ObjectMissing
from libs.web import CallerOf, file_answers, told
from services.storage.adapters.objects import describe_object
from services.storage.api.files import File, send_file
from services.storage.api.parts import CONDITIONAL, PRIVATE, DepsOf
from services.storage.api.problems import CHANGED, NO_OBJECT, unsatisfiable
from services.storage.domain.delivery import RangeNotSatisfiable
from services.storage.domain.keys import Audience, audience_of

router = APIRouter()
_CACHE_CONTROL = {Audience.EVERYBODY: "public, max-age=86400", Audience.ORGANIZATION: PRIVATE}
_OBJECT = file_answers("audio/*") | told(NO_OBJECT, CHANGED, unsatisfiable(RangeNotSatisfiable(20_480)))


@router.head("/internal/objects/{key:path}", include_in_schema=False)
@router.get("/internal/objects/{key:path}", response_class=Response, responses=_OBJECT, openapi_extra=CONDITIONAL)
async def get_object(key: str, request: Request, caller: CallerOf, deps: DepsOf) -> Response:
    """Send an object of a system voice or of one of the caller's voices, or the asked part of it."""
    audience = audience_of(key, caller.org_id)
    if audience is None:
        raise ObjectMissing
    found = await describe_object(deps.objects, key)
    file = File(
        key=key,
        representation=found.representation,
        content_type=found.content_type,
        cache_control=_CACHE_CONTROL[audience],
    )
    return await send_file(request, deps, file)
