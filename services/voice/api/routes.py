"""The voice service's routes: the library of voices, for whoever the gateway says is asking."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from libs.database import Cursor, page_of
from libs.ids import parse_id
from libs.web import CallerOf, OnceOf, PathId, answered, as_id, handed_over, handover, header, told
from services.voice import domain, store, usecases
from services.voice.api import problems
from services.voice.api.forms import Form, read_form
from services.voice.api.parts import DepsOf
from services.voice.api.views import (
    CategoryList,
    CategoryView,
    NewVoiceForm,
    SampleList,
    SettingsView,
    VoiceChanges,
    VoiceList,
    VoiceQuery,
    VoiceView,
    sample_view,
    settings_view,
    voice_view,
)
from services.voice.usecases import Deps

router = APIRouter()

FILE_FIELDS = ("file", "files")
_BYTES = handed_over("storage", "/internal/objects/{key}")
_NO_AUDIO = told(problems.NOT_FOUND, problems.NO_AUDIO)
_KEPT = told(problems.NOT_FOUND, problems.SYSTEM_VOICE)
_MADE = {
    **answered(201, "The voice, still to be examined", headers={"Location": header("The voice.", "/v1/voices/0199…")}),
    **told(
        problems.name_taken(domain.VoiceNameTaken()),
        problems.TOO_LARGE,
        problems.NOT_MULTIPART,
        problems.quota_exceeded(domain.QuotaExceeded(quota="custom_voices", limit=10, remaining=0, resets_at=None)),
    ),
}


def _id(text: str) -> UUID:
    return as_id(text, domain.VoiceNotFound)


def _checked(form: Form) -> tuple[domain.NewVoice, list[UUID]]:
    """Return what the form asks for, and the uploads that it names.

    Raises RequestValidationError naming every field that is wrong.
    """
    errors: list[Any] = []  # Any: pydantic's own description of an error
    fields: NewVoiceForm | None = None
    try:
        fields = NewVoiceForm.model_validate(form.fields)
    except ValidationError as error:
        errors = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
    if not form.files and not form.fields.get("upload_ids"):
        errors.append({"type": "missing", "loc": ("body", "file"), "msg": "A file is required", "input": None})
    if fields is None or errors:
        raise RequestValidationError(errors)
    wanted = domain.NewVoice(fields.name, fields.description or None, fields.category, fields.language)
    return wanted, fields.uploads()


@router.get("/v1/voices")
async def list_voices(caller: CallerOf, deps: DepsOf, wanted: Annotated[VoiceQuery, Query()]) -> VoiceList:
    """List the voices that can be spoken with: everybody's and the organisation's own, newest first."""
    after = Cursor.decode(wanted.cursor) if wanted.cursor else None
    which = store.VoiceFilter(wanted.query, wanted.category, wanted.language, wanted.variant, wanted.status)
    async with deps.database.transaction(caller.org_id) as session:
        rows = await store.list_voices(session, caller.org_id, which, after=after, limit=wanted.limit)
    page = page_of(rows, wanted.limit, lambda row: Cursor(row.created_at, row.id))
    return VoiceList(items=[voice_view(row) for row in page.items], next_cursor=page.next_cursor)


# Before the voices by their ids, of which it is none.
@router.get("/v1/voices/categories")
async def list_voice_categories(caller: CallerOf, deps: DepsOf) -> CategoryList:
    """List the categories, and how many voices of each can be spoken with."""
    async with deps.database.transaction(caller.org_id) as session:
        counts = await store.count_by_category(session, caller.org_id)
    return CategoryList(
        items=[CategoryView(value=one, label=one.label, count=counts.get(one, 0)) for one in domain.Category]
    )


async def _get(deps: Deps, caller: CallerOf, voice_id: str) -> domain.Voice:
    async with deps.database.transaction(caller.org_id) as session:
        voice = await store.get_voice(session, caller.org_id, _id(voice_id))
    if voice is None:
        raise domain.VoiceNotFound
    return voice


@router.get("/v1/voices/{voice_id}", responses=told(problems.NOT_FOUND))
async def get_voice(voice_id: PathId, caller: CallerOf, deps: DepsOf) -> VoiceView:
    """Return one voice, with what was measured of its recordings and how near it comes to them."""
    return voice_view(await _get(deps, caller, voice_id))


def _play(object_key: str | None) -> Response:
    if object_key is None:
        raise domain.AudioNotFound
    return handover("storage", f"/internal/objects/{object_key}")


@router.head("/v1/voices/{voice_id}/audio", include_in_schema=False)
@router.get("/v1/voices/{voice_id}/audio", responses=_NO_AUDIO, response_class=Response, openapi_extra=_BYTES)
async def get_voice_audio(voice_id: PathId, caller: CallerOf, deps: DepsOf) -> Response:
    """Play a voice: a spoken preview of a system voice, the first recording of a custom one."""
    return _play((await _get(deps, caller, voice_id)).object_key)


@router.head("/v1/voices/{voice_id}/preview", include_in_schema=False)
@router.get("/v1/voices/{voice_id}/preview", responses=_NO_AUDIO, response_class=Response, openapi_extra=_BYTES)
async def get_voice_preview(voice_id: PathId, caller: CallerOf, deps: DepsOf) -> Response:
    """Play how a voice speaks. A custom voice that is not matched, or not yet, has only its first recording to play."""
    voice = await _get(deps, caller, voice_id)
    return _play(voice.preview_key or voice.object_key)


_FORM_SCHEMA = NewVoiceForm.model_json_schema(ref_template="#/components/schemas/{model}")
del _FORM_SCHEMA["$defs"]  # the answers define the same names
_FORM_SCHEMA["properties"]["file"] = {
    "type": "array",
    "items": {"type": "string", "format": "binary"},
    "maxItems": domain.RECORDINGS_MOST,
    "title": "Files",
    "description": "Recordings, each as a field of its own, or none with `upload_ids`; `files` is understood as well.",
}
_FORM_SCHEMA["properties"]["file"]["examples"] = [["…"]]
_FORM_SCHEMA["required"] = ["name"]


@router.post(
    "/v1/voices",
    status_code=HTTP_201_CREATED,
    responses=_MADE,
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM_SCHEMA}}}},
)
async def create_voice(request: Request, response: Response, caller: CallerOf, deps: DepsOf, once: OnceOf) -> VoiceView:
    """Make a custom voice of up to eight recordings: at least 10 s of speech in all, and at most 20 MB.

    Any common audio is taken (wav, mp3, m4a, flac, ogg, webm), by its content. The voice is `processing` until its
    recordings are examined; then it is `ready`, matched to their timbre (not cloned), or `rejected` with reasons.
    Recordings that were uploaded before are named in `upload_ids`; the voice keeps copies of its own.

    Names are unique within an organisation, without regard to case, so that a name in a list means one
    voice: a name that is taken is answered 409 `voice_name_taken`. The name of a system voice may be used.
    """
    form = await read_form(request, FILE_FIELDS)
    wanted, upload_ids = _checked(form)
    voice = await usecases.create_voice(deps, caller, wanted, form.files, once, upload_ids)
    response.headers["Location"] = f"/v1/voices/{voice.id}"
    return voice_view(voice)


@router.patch(
    "/v1/voices/{voice_id}",
    responses=told(problems.NOT_FOUND, problems.SYSTEM_VOICE, problems.name_taken(domain.VoiceNameTaken())),
)
async def update_voice(voice_id: PathId, changes: VoiceChanges, caller: CallerOf, deps: DepsOf) -> VoiceView:
    """Change a custom voice; of its settings only those that are named change.

    In another language it is spoken plainly until it is matched again. Names are unique within an organisation, without
    regard to case: 409 `voice_name_taken`. A system voice is answered 409 `system_voice`.
    """
    return voice_view(await usecases.update_voice(deps, caller, _id(voice_id), changes.fields()))


@router.delete("/v1/voices/{voice_id}", status_code=HTTP_204_NO_CONTENT, responses=_KEPT)
async def delete_voice(voice_id: PathId, caller: CallerOf, deps: DepsOf) -> None:
    """Delete a custom voice. What was spoken with it stays; a system voice is answered 409 `system_voice`."""
    await usecases.delete_voice(deps, caller, _id(voice_id))


@router.get("/v1/voices/{voice_id}/settings", responses=told(problems.NOT_FOUND))
async def get_voice_settings(voice_id: PathId, caller: CallerOf, deps: DepsOf) -> SettingsView:
    """Return what requests are spoken with in this voice if they do not say otherwise."""
    return settings_view(await _get(deps, caller, voice_id))


@router.put("/v1/voices/{voice_id}/settings", responses=_KEPT)
async def put_voice_settings(voice_id: PathId, wanted: SettingsView, caller: CallerOf, deps: DepsOf) -> SettingsView:
    """Set all of a custom voice's settings; those that are not named become usual again."""
    changes = {"settings": wanted.model_dump()}
    return settings_view(await usecases.update_voice(deps, caller, _id(voice_id), changes))


async def _samples(deps: Deps, caller: CallerOf, voice_id: str) -> list[domain.Sample]:
    voice = await _get(deps, caller, voice_id)
    async with deps.database.transaction(caller.org_id) as session:
        return await store.list_samples(session, voice.id)


@router.get("/v1/voices/{voice_id}/samples", responses=told(problems.NOT_FOUND))
async def list_voice_samples(voice_id: PathId, caller: CallerOf, deps: DepsOf) -> SampleList:
    """List a custom voice's recordings with what was measured of each; a system voice has none."""
    return SampleList(items=[sample_view(sample) for sample in await _samples(deps, caller, voice_id)])


@router.head("/v1/voices/{voice_id}/samples/{sample_id}/audio", include_in_schema=False)
@router.get(
    "/v1/voices/{voice_id}/samples/{sample_id}/audio",
    responses=told(problems.NOT_FOUND, problems.NO_SAMPLE),
    response_class=Response,
    openapi_extra=_BYTES,
)
async def get_voice_sample_audio(voice_id: PathId, sample_id: PathId, caller: CallerOf, deps: DepsOf) -> Response:
    """Play a recording as it was sent."""
    for sample in await _samples(deps, caller, voice_id):
        if sample.id == parse_id(sample_id):
            return _play(sample.object_key)
    raise domain.SampleNotFound


@router.delete(
    "/v1/voices/{voice_id}/samples/{sample_id}",
    status_code=HTTP_204_NO_CONTENT,
    responses=told(
        problems.NOT_FOUND,
        problems.NO_SAMPLE,
        problems.SYSTEM_VOICE,
        problems.LAST_SAMPLE,
        problems.sample_needed(domain.SampleNeeded(["4.2 s of speech are left, and 10 s are needed"])),
    ),
)
async def delete_voice_sample(voice_id: PathId, sample_id: PathId, caller: CallerOf, deps: DepsOf) -> None:
    """Remove one of several recordings of a custom voice, which is examined and matched anew.

    The last one stays (409 `last_sample`), and so does one without which the voice would not be good enough (409
    `sample_needed`, with what was measured of the others).
    """
    known = parse_id(sample_id)
    if known is None:
        await _get(deps, caller, voice_id)
        raise domain.SampleNotFound
    await usecases.delete_sample(deps, caller, _id(voice_id), known)
