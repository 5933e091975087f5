"""ElevenLabs' history: what was spoken, with its audio."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from libs.web.described import answered, file_answers
from services.gateway.adapters.asking import Asking
from services.gateway.api.elevenlabs.speech import AUDIO, IGNORED
from services.gateway.api.flow import Flow
from services.gateway.api.parts import AskingOf, asked_of
from services.gateway.domain.elevenlabs import history
from services.gateway.domain.failures import InvalidField
from services.gateway.domain.headers import conditions
from services.gateway.usecases.past import GENERATION, Past, list_completed

router = APIRouter()

_UNKNOWN_HERE = ("model_id", "source")


class HistoryQuery(BaseModel):
    """Which items; what finds nothing here is ignored, and `Antiphon-Ignored` names it."""

    model_config = ConfigDict(extra="allow")

    page_size: int = Field(100, ge=1, le=1000, description="How many items a page has at most.")
    start_after_history_item_id: str | None = Field(
        None, max_length=64, description="`last_history_item_id` of the page before."
    )
    voice_id: str | None = Field(None, max_length=64, description="Only what this voice spoke.")
    search: str | None = Field(None, max_length=200, description="What the text contains.")
    date_before_unix: int | None = Field(None, description="Asked for before this time, in seconds.")
    date_after_unix: int | None = Field(None, description="Asked for at this time or later, in seconds.")
    sort_direction: Literal["asc", "desc"] = Field("desc", description="Only desc: newest first.")

    def filters(self) -> dict[str, str]:
        """Return them as the generation service reads them."""
        found = {"status": "completed", "voice_id": self.voice_id, "text": self.search}
        if self.date_before_unix is not None:
            found["until"] = history.moment("date_before_unix", self.date_before_unix)
        if self.date_after_unix is not None:
            found["since"] = history.moment("date_after_unix", self.date_after_unix)
        return {name: value for name, value in found.items() if value}


@router.get("/v1/history")
async def elevenlabs_list_history(wanted: Annotated[HistoryQuery, Query()], asking: AskingOf) -> Response:
    """List what was spoken, newest first."""
    if wanted.sort_direction == "asc":
        raise InvalidField("sort_direction", "is desc here: the newest item is always the first")
    past: Past = await list_completed(
        asking, wanted.filters(), after=wanted.start_after_history_item_id, at_most=wanted.page_size
    )
    items = [history.item_of(one) for one in past.generations]
    document = {
        "history": items,
        "last_history_item_id": items[-1]["history_item_id"] if items else None,
        "has_more": past.has_more,
        "scanned_until": None,
    }
    ignored = [name for name in _UNKNOWN_HERE if name in (wanted.model_extra or {})]
    return JSONResponse(document, headers={IGNORED: ", ".join(ignored)} if ignored else {})


class Download(BaseModel):
    """Which items to download together."""

    history_item_ids: list[str] = Field(
        min_length=1, max_length=1000, examples=[["01990a6e-7b1c-7d5e-9f0a-3c5b8e2d4f61"]]
    )
    output_format: Literal["default"] | None = Field(None, description="Audio is kept in the format it was asked for.")


@router.post(
    "/v1/history/download", response_class=Response, responses=answered(200, content=(*AUDIO, "application/zip"))
)
async def elevenlabs_download(wanted: Download, asking: AskingOf) -> Response:
    """Download the audio of one item as it is, of several as a ZIP file."""
    if len(wanted.history_item_ids) == 1:
        return Flow(_audio(asking, wanted.history_item_ids[0], []))
    document = {"ids": wanted.history_item_ids}
    return Flow(asking.open("POST", "generation", "/v1/generations/download", document=document))


@router.get("/v1/history/{history_item_id}")
async def elevenlabs_get_item(history_item_id: str, asking: AskingOf) -> dict[str, Any]:  # Any: JSON
    """Return one item, with the times of its characters."""
    target = f"/v1/generations/{history_item_id}"
    generation = await asking.json("GET", "generation", target, template=GENERATION)
    item = history.item_of(generation)
    if generation["status"] != "completed":
        return item | {"state": "processing" if generation["error"] is None else "deleted", "alignments": None}
    sent, normalized = [
        await asking.json(
            "GET", "generation", f"{target}/alignment?{urlencode(query)}", template=f"{GENERATION}/alignment"
        )
        for query in ({"normalized": "false"}, {"normalized": "true"})
    ]
    return item | {"alignments": history.alignments_of(sent, normalized)}


@router.delete("/v1/history/{history_item_id}")
async def elevenlabs_delete_item(history_item_id: str, asking: AskingOf) -> dict[str, str]:
    """Delete an item with its audio."""
    await asking.json("DELETE", "generation", f"/v1/generations/{history_item_id}", template=GENERATION)
    return {"status": "ok"}


@router.get("/v1/history/{history_item_id}/audio", response_class=Response, responses=file_answers(*AUDIO))
async def elevenlabs_get_audio(history_item_id: str, request: Request, asking: AskingOf) -> Response:
    """Return an item's audio; parts of it, too."""
    return Flow(_audio(asking, history_item_id, conditions(asked_of(request).headers.passed)))


def _audio(asking: Asking, item: str, headers: list[tuple[str, str]]) -> Any:  # Any: a context manager of an answer
    target = f"/v1/generations/{quote(item, safe='')}/audio"
    return asking.open("GET", "generation", target, template=f"{GENERATION}/audio", headers=headers)
