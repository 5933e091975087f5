"""The ledger as a file."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from libs.web import CallerOf, answered, header
from services.analytics import usecases
from services.analytics.adapters.ledger_files import MEDIA_TYPES
from services.analytics.api.asking import DaysOf, WantedOf
from services.analytics.api.parts import DepsOf
from services.analytics.domain.lines import FileFormat, LinesQuery

router = APIRouter()
_HEADERS = {
    "Content-Disposition": header("Under which name to save it.", 'attachment; filename="usage.csv"'),
    "Cache-Control": header("Nobody keeps it.", "private, no-store"),
}


@router.get(
    "/v1/usage/export",
    response_class=StreamingResponse,
    responses=answered(200, "The file", content=list(MEDIA_TYPES.values()), headers=_HEADERS),
)
async def export_usage(
    caller: CallerOf,
    deps: DepsOf,
    days: DaysOf,
    wanted: WantedOf,
    file_format: Annotated[FileFormat, Query(alias="format", description="What kind of file.")] = "csv",
) -> StreamingResponse:
    """Download the ledger: a line for each thing that was used up, oldest first; at most 366 days at once.

    The last 30 days unless `from` and `to` say otherwise. Times in the file are UTC whatever `tz` is.
    """
    query = LinesQuery(days.first, days.last, days.zone, wanted)
    export = await usecases.export_ledger(deps, caller, query, file_format)
    name = f"usage-{export.first.isoformat()}-{export.last.isoformat()}.{file_format}"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "private, no-store"}
    return StreamingResponse(export.content, media_type=MEDIA_TYPES[file_format], headers=headers)
