"""ElevenLabs' voices: the library, custom voices, their settings and recordings."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from libs.speech.catalogue.voice import Category
from libs.web.described import file_answers
from services.gateway.adapters.asking import Asking
from services.gateway.adapters.forms import FIELD_MAX_BYTES, PassedForm
from services.gateway.api.elevenlabs.forms import form_schema
from services.gateway.api.elevenlabs.speech import AUDIO, IGNORED, VoiceSettings
from services.gateway.api.flow import Flow
from services.gateway.api.parts import AskingOf, DepsOf, asked_of
from services.gateway.api.streams import RequestBody
from services.gateway.domain.elevenlabs import voices
from services.gateway.domain.failures import InvalidField
from services.gateway.domain.headers import conditions
from services.gateway.domain.routes import UPLOAD_SECONDS
from services.gateway.usecases.library import VOICE, all_voices, examined

router = APIRouter()

_CATEGORIES: tuple[str, ...] = get_args(Category)
_FIELDS: dict[str, Any] = {  # Any: OpenAPI
    "name": {"type": "string", "example": "Ada"},
    "description": {"type": "string"},
    "labels": {
        "type": "string",
        "description": "A JSON object; language, locale and use_case are understood.",
    },
}
_FILES = {"type": "array", "items": {"type": "string", "format": "binary"}}
_NEW = form_schema(required=["name", "files"], files=_FILES, **_FIELDS)
_EDIT = form_schema(required=["name"], **_FIELDS)
_SEARCH_IGNORED = (
    "fine_tuning_state", "collection_id", "gender", "age", "accent", "use_cases", "min_notice_period_days",
    "include_custom_rates", "include_live_moderated", "high_quality",
)  # fmt: skip


class VoiceQuery(BaseModel):
    """Which voices, in which order; what finds nothing here is ignored, and `Antiphon-Ignored` names it."""

    model_config = ConfigDict(extra="allow")

    next_page_token: str | None = Field(None, max_length=1000, description="That of the page before.")
    page_size: int = Field(10, ge=1, le=100, description="How many voices a page has at most.")
    search: str | None = Field(None, max_length=200, description="Words of the name or the description.")
    sort: Literal["created_at_unix", "name"] = Field("created_at_unix", description="By what the voices are sorted.")
    sort_direction: Literal["asc", "desc"] | None = Field(
        None, description="Unless it is given, the newest first, or names from A to Z."
    )
    voice_type: str | None = Field(None, description="personal: the organisation's own; default: everybody's.")
    category: str | None = Field(None, description="premade: everybody's; cloned: the organisation's own.")
    language: list[str] = Field(default_factory=list, max_length=100, description="Languages, as en or en-US.")
    voice_ids: list[str] = Field(default_factory=list, max_length=100, description="Only these voices.")


def _base(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


def _answer(document: object, ignored: list[str]) -> Response:
    return JSONResponse(document, headers={IGNORED: ", ".join(ignored)} if ignored else {})


@router.get("/v1/voices")
async def elevenlabs_list_voices(request: Request, asking: AskingOf) -> Response:
    """List all voices, everybody's and the organisation's own."""
    found = await all_voices(asking)
    return _answer({"voices": [voices.voice_view(one, _base(request)) for one in found]}, [])


@router.get("/v2/voices")
async def elevenlabs_search_voices(
    request: Request, wanted: Annotated[VoiceQuery, Query()], asking: AskingOf
) -> Response:
    """List voices page by page, searched and sorted."""
    search = voices.Search(
        category=wanted.category,
        voice_type=wanted.voice_type,
        languages=wanted.language,
        voice_ids=wanted.voice_ids,
        sort=wanted.sort,
        descending=wanted.sort_direction == "desc" if wanted.sort_direction else wanted.sort == "created_at_unix",
        page_size=wanted.page_size,
        token=wanted.next_page_token,
    )
    found = voices.select(await all_voices(asking, wanted.search), search)
    document = {
        "voices": [voices.voice_view(one, _base(request)) for one in found.voices],
        "has_more": found.next_page_token is not None,
        "total_count": found.total,
        "next_page_token": found.next_page_token,
    }
    return _answer(document, [name for name in _SEARCH_IGNORED if name in (wanted.model_extra or {})])


@router.post("/v1/voices/add", openapi_extra=_NEW)
async def elevenlabs_add_voice(request: Request, asking: AskingOf) -> Response:
    """Make a voice of recordings (multipart: `name`, `files`, `description`, `labels`); it can be spoken with at once.

    Of the labels, `language` or `locale` and `use_case` have a meaning here.
    """
    asked = asked_of(request)
    content_type = request.headers.get("content-type", "")
    form = PassedForm(RequestBody(request.receive, asked.route.body_bytes), content_type, ("labels",))
    made = await asking.json(
        "POST", "voice", "/v1/voices", body=form, headers=_form_headers(request), answer_seconds=UPLOAD_SECONDS
    )
    ignored: list[str] = []
    try:
        changes, ignored = voices.changes_of(voices.labels_of(form.fields.get("labels")), _CATEGORIES)
        if changes:
            await asking.json("PATCH", "voice", f"/v1/voices/{made['id']}", template=VOICE, document=changes)
    except Exception:
        # What the client is told failed is not to be there: it would send the form again, under the same name.
        await asking.json("DELETE", "voice", f"/v1/voices/{made['id']}", template=VOICE)
        raise
    await examined(asking, made["id"])
    return _answer({"voice_id": made["id"], "requires_verification": False}, ignored)


def _form_headers(request: Request) -> list[tuple[str, str]]:
    return [(name, request.headers[name]) for name in ("content-type", "content-length") if name in request.headers]


@router.get("/v1/voices/settings/default")
async def elevenlabs_get_default_settings() -> dict[str, Any]:  # Any: numbers and switches
    """Return what voices are spoken with that have no settings of their own."""
    return dict(voices.USUAL_SETTINGS)


@router.get("/v1/voices/{voice_id}")
async def elevenlabs_get_voice(
    voice_id: str, request: Request, asking: AskingOf, deps: DepsOf
) -> dict[str, Any]:  # Any: JSON
    """Return one voice with its recordings."""
    target = f"/v1/voices/{await deps.voice_names.find(asking, voice_id)}"
    voice = await asking.json("GET", "voice", target, template=VOICE)
    samples = await asking.json("GET", "voice", f"{target}/samples", template=f"{VOICE}/samples")
    return voices.voice_view(voice, _base(request), samples["items"])


@router.delete("/v1/voices/{voice_id}")
async def elevenlabs_delete_voice(voice_id: str, asking: AskingOf) -> dict[str, str]:
    """Delete a custom voice; what was spoken with it stays."""
    await asking.json("DELETE", "voice", f"/v1/voices/{voice_id}", template=VOICE)
    return {"status": "ok"}


@router.post("/v1/voices/{voice_id}/edit", openapi_extra=_EDIT)
async def elevenlabs_edit_voice(voice_id: str, request: Request, asking: AskingOf) -> Response:
    """Change a custom voice's name, description or labels (a form); its recordings stay as they are."""
    async with request.form(max_files=25, max_fields=25, max_part_size=FIELD_MAX_BYTES) as form:
        fields = {name: value for name, value in form.items() if isinstance(value, str) and value != "null"}
        if len(fields) < len([name for name, value in form.items() if value != "null"]):
            raise InvalidField("files", "cannot be added to a voice; make a new one of all recordings")
    changes, ignored = voices.changes_of(voices.labels_of(fields.get("labels")), _CATEGORIES)
    changes |= {name: fields[name] for name in ("name", "description") if name in fields}
    await asking.json("PATCH", "voice", f"/v1/voices/{voice_id}", template=VOICE, document=changes)
    return _answer({"status": "ok"}, ignored)


async def _settings(asking: Asking, voice_id: str) -> dict[str, Any]:  # Any: JSON
    voice = await asking.json("GET", "voice", f"/v1/voices/{voice_id}", template=VOICE)
    return dict(voices.settings_of(voice))


@router.get("/v1/voices/{voice_id}/settings")
async def elevenlabs_get_settings(voice_id: str, asking: AskingOf, deps: DepsOf) -> dict[str, Any]:  # Any: JSON
    """Return what requests are spoken with in a voice that do not say otherwise."""
    return await _settings(asking, await deps.voice_names.find(asking, voice_id))


@router.post("/v1/voices/{voice_id}/settings/edit")
async def elevenlabs_edit_settings(voice_id: str, wanted: VoiceSettings, asking: AskingOf) -> Response:
    """Change a custom voice's speed; the other settings mean nothing to the engines here."""
    document = {"settings": {"speed": wanted.speed}} if wanted.speed is not None else {}
    await asking.json("PATCH", "voice", f"/v1/voices/{voice_id}", template=VOICE, document=document)
    named = wanted.model_dump(exclude_none=True)
    return _answer({"status": "ok"}, sorted(name for name in named if name != "speed" and name.isidentifier()))


@router.get("/v1/voices/{voice_id}/samples/{sample_id}/audio", response_class=Response, responses=file_answers(*AUDIO))
async def elevenlabs_get_sample_audio(voice_id: str, sample_id: str, request: Request, asking: AskingOf) -> Response:
    """Play a recording as it was sent."""
    opened = asking.open(
        "GET",
        "voice",
        f"/v1/voices/{voice_id}/samples/{sample_id}/audio",
        template=f"{VOICE}/samples/{{sample_id}}/audio",
        headers=conditions(asked_of(request).headers.passed),
    )
    return Flow(opened)


@router.delete("/v1/voices/{voice_id}/samples/{sample_id}")
async def elevenlabs_delete_sample(voice_id: str, sample_id: str, asking: AskingOf) -> dict[str, str]:
    """Remove one of several recordings of a custom voice."""
    target = f"/v1/voices/{voice_id}/samples/{sample_id}"
    await asking.json("DELETE", "voice", target, template=f"{VOICE}/samples/{{sample_id}}")
    return {"status": "ok"}
