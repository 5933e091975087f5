"""The voice service's routes: the library of voices, for whoever the gateway says is asking."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError
from starlette.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from libs.database import Cursor, page_of
from libs.ids import parse_id
from libs.web import CallerOf, handover
from services.voice import domain, store, usecases
from services.voice.api.forms import Form, read_form
from services.voice.usecases import Deps

router = APIRouter()


async def _deps(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


DepsOf = Annotated[Deps, Depends(_deps)]

PlainText = BeforeValidator(domain.plain_text)
LanguageTag = Annotated[str, AfterValidator(domain.language_tag)]


class VoiceQuery(BaseModel):
    """Which voices to list."""

    query: Annotated[str, Field(max_length=200), PlainText] | None = Field(
        None, description="Words that the name or the description contains, in any case."
    )
    category: domain.Category | None = None
    language: LanguageTag | None = Field(None, description='A BCP 47 tag; "en" lists en-US, en-GB and so on.')
    variant: domain.Variant | None = None
    limit: int = Field(50, ge=1, le=100)
    cursor: str | None = Field(None, description="`next_cursor` of the page before.")


class NewVoiceForm(BaseModel):
    """The fields of the form that makes a voice, beside its file."""

    name: Annotated[str, Field(min_length=1, max_length=domain.NAME_MAX_LENGTH), PlainText]
    description: Annotated[str, Field(max_length=domain.DESCRIPTION_MAX_LENGTH), PlainText] = ""
    category: domain.Category = domain.Category.GENERAL
    language: LanguageTag = domain.DEFAULT_LANGUAGE


class VoiceView(BaseModel):
    """A voice as clients see it. Times are UTC."""

    id: UUID
    name: str
    description: str | None
    category: domain.Category
    category_label: str
    language: str
    variant: domain.Variant
    status: domain.Status
    preview_url: str | None
    created_at: datetime
    updated_at: datetime


class VoiceList(BaseModel):
    """One page of voices, newest first."""

    items: list[VoiceView]
    next_cursor: str | None


def _view(voice: domain.Voice) -> VoiceView:
    return VoiceView(
        id=voice.id,
        name=voice.name,
        description=voice.description,
        category=voice.category,
        category_label=voice.category.label,
        language=voice.language,
        variant=voice.variant,
        status=voice.status,
        preview_url=f"/v1/voices/{voice.id}/audio" if voice.object_key else None,
        created_at=voice.created_at,
        updated_at=voice.updated_at,
    )


def _id(text: str) -> UUID:
    parsed = parse_id(text)
    if parsed is None:
        raise domain.VoiceNotFound
    return parsed


def _checked(form: Form) -> tuple[domain.NewVoice, bytes]:
    """Return what the form asks for; raises RequestValidationError naming every field that is wrong."""
    errors: list[Any] = []  # Any: pydantic's own description of an error
    fields: NewVoiceForm | None = None
    try:
        fields = NewVoiceForm.model_validate(form.fields)
    except ValidationError as error:
        errors = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
    if not form.file:
        errors.append({"type": "missing", "loc": ("body", "file"), "msg": "A file is required", "input": None})
    if fields is None or not form.file:
        raise RequestValidationError(errors)
    wanted = domain.NewVoice(fields.name, fields.description or None, fields.category, fields.language)
    return wanted, form.file


@router.get("/v1/voices")
async def list_voices(caller: CallerOf, deps: DepsOf, wanted: Annotated[VoiceQuery, Query()]) -> VoiceList:
    """List the voices that can be spoken with: everybody's and the organisation's own, newest first."""
    after = Cursor.decode(wanted.cursor) if wanted.cursor else None
    which = store.VoiceFilter(wanted.query, wanted.category, wanted.language, wanted.variant)
    async with deps.database.transaction(caller.org_id) as session:
        rows = await store.list_voices(session, caller.org_id, which, after=after, limit=wanted.limit)
    page = page_of(rows, wanted.limit, lambda row: Cursor(row.created_at, row.id))
    return VoiceList(items=[_view(row) for row in page.items], next_cursor=page.next_cursor)


async def _get(deps: Deps, caller: CallerOf, voice_id: str) -> domain.Voice:
    async with deps.database.transaction(caller.org_id) as session:
        voice = await store.get_voice(session, caller.org_id, _id(voice_id))
    if voice is None:
        raise domain.VoiceNotFound
    return voice


@router.get("/v1/voices/{voice_id}")
async def get_voice(voice_id: str, caller: CallerOf, deps: DepsOf) -> VoiceView:
    """Return one voice."""
    return _view(await _get(deps, caller, voice_id))


@router.head("/v1/voices/{voice_id}/audio", include_in_schema=False)
@router.get("/v1/voices/{voice_id}/audio")
async def get_audio(voice_id: str, caller: CallerOf, deps: DepsOf) -> Response:
    """Play a voice: a spoken preview of a system voice, the recording of a custom one."""
    voice = await _get(deps, caller, voice_id)
    if voice.object_key is None:
        raise domain.AudioNotFound
    return handover("storage", f"/internal/objects/{voice.object_key}")


_FORM_SCHEMA = NewVoiceForm.model_json_schema(ref_template="#/components/schemas/{model}")
del _FORM_SCHEMA["$defs"]  # the answers define the same names
_FORM_SCHEMA["properties"]["file"] = {"type": "string", "format": "binary", "title": "File"}
_FORM_SCHEMA["required"] = ["name", "file"]


@router.post(
    "/v1/voices",
    status_code=HTTP_201_CREATED,
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM_SCHEMA}}}},
)
async def create_voice(request: Request, response: Response, caller: CallerOf, deps: DepsOf) -> VoiceView:
    """Make a custom voice of a WAV recording of at least 10 s and at most 20 MB.

    Names are unique within an organisation, without regard to case, so that a name in a list means one
    voice: a name that is taken is answered 409 `voice_name_taken`. The name of a system voice may be used.
    """
    wanted, recording = _checked(await read_form(request, "file"))
    voice = await usecases.create_voice(deps, caller, wanted, recording)
    response.headers["Location"] = f"/v1/voices/{voice.id}"
    return _view(voice)


@router.delete("/v1/voices/{voice_id}", status_code=HTTP_204_NO_CONTENT)
async def delete_voice(voice_id: str, caller: CallerOf, deps: DepsOf) -> None:
    """Delete a custom voice. What was spoken with it stays; a system voice is answered 409 `system_voice`."""
    await usecases.delete_voice(deps.database, caller, _id(voice_id), now=deps.clock())
