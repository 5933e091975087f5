"""The routes by which an organisation is erased."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from starlette.status import HTTP_202_ACCEPTED

from libs.web import PathId, as_id, told
from services.gateway.api import access_problems as problems
from services.gateway.api.fields import Body, Name
from services.gateway.api.parts import CredentialOf, DepsOf
from services.gateway.domain.erasures import Erasure, ErasureNotFound
from services.gateway.usecases import erasing

router = APIRouter()


class Confirmation(Body):
    """That an organisation is really to be erased."""

    name: Name = Field(description="The organisation's name, as it is.", examples=["Example"])


class ServiceReport(BaseModel):
    """What a service has deleted: rows by table, and objects. Services are asked twice."""

    service: str
    round: int
    counts: dict[str, int]
    erased_at: datetime


class ErasureView(BaseModel):
    """How far an erasure is."""

    id: str = Field(description="Keep it: with it, and without a key, GET /v1/erasures/{id} shows the report.")
    status: Literal["running", "completed"]
    requested_at: datetime
    completed_at: datetime | None
    reports: list[ServiceReport]


def _view(erasure: Erasure) -> ErasureView:
    return ErasureView(
        id=str(erasure.id),
        status="completed" if erasure.completed_at else "running",
        requested_at=erasure.requested_at,
        completed_at=erasure.completed_at,
        reports=[
            ServiceReport(service=one.service, round=one.round, counts=dict(one.counts), erased_at=one.erased_at)
            for one in erasure.reports
        ],
    )


_ERASING = told(problems.OWNERS_ERASE, problems.NOT_CONFIRMED, problems.OPERATOR_STAYS)


@router.post("/v1/organization/erasure", status_code=HTTP_202_ACCEPTED, responses=_ERASING)
async def erase_organization(
    confirmed: Confirmation, credential: CredentialOf, deps: DepsOf, response: Response
) -> ErasureView:
    """Delete the organisation with everything in it, for good. Its keys open nothing from now on."""
    erasure_id = await erasing.erase_organization(deps, credential, confirmed.name)
    response.headers["Location"] = f"/v1/erasures/{erasure_id}"
    return _view(await erasing.get_erasure(deps, erasure_id))


@router.get("/v1/erasures/{erasure_id}", responses=told(problems.NO_ERASURE))
async def get_erasure(erasure_id: PathId, deps: DepsOf) -> ErasureView:
    """Say what each service has deleted. No key is needed: there is none any more."""
    return _view(await erasing.get_erasure(deps, as_id(erasure_id, ErasureNotFound)))
