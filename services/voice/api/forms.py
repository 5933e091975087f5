"""Forms with a file, read while they arrive."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from services.voice.domain import RECORDING_MAX_BYTES, RecordingTooLarge

_MOST_BYTES = RECORDING_MAX_BYTES + 64 * 1024  # all that is not the file has room in the difference
_MOST_FIELDS, _MOST_FIELD_BYTES = 16, 16 * 1024


class NotMultipart(Exception):
    """The request's body is no multipart/form-data."""


class MalformedForm(Exception):
    """The body claims to be multipart/form-data and is not; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, and what its file holds; None without a file."""

    fields: Mapping[str, str]
    file: bytes | None


class _InMemory(MultiPartParser):
    """Keeps the file in memory, which the bound on the body makes safe: no disk, no hops to a thread."""

    spool_max_size = _MOST_BYTES + 1


async def read_form(request: Request, file_field: str) -> Form:
    """Read a form with one file, and stop as soon as it is too large: nothing beyond the limit is kept.

    Raises NotMultipart, MalformedForm, RecordingTooLarge.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise NotMultipart
    body = _bounded(request)
    parser = _InMemory(request.headers, body, max_files=1, max_fields=_MOST_FIELDS, max_part_size=_MOST_FIELD_BYTES)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise MalformedForm(error.message) from error
    except UnicodeError as error:
        raise MalformedForm("a field is not in the character set that the form names; use UTF-8") from error
    finally:
        await body.aclose()
    try:
        return await _contents(form, file_field)
    finally:
        await form.close()


async def _bounded(request: Request) -> AsyncGenerator[bytes]:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > _MOST_BYTES:
        raise RecordingTooLarge
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > _MOST_BYTES:
            raise RecordingTooLarge
        yield chunk


async def _contents(form: FormData, file_field: str) -> Form:
    file = form.get(file_field)
    content = await file.read() if isinstance(file, UploadFile) else None
    if content is not None and len(content) > RECORDING_MAX_BYTES:
        raise RecordingTooLarge
    return Form({name: value for name, value in form.items() if isinstance(value, str)}, content)
