"""Forms with files, read while they arrive."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Container, Mapping, Sequence
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from services.voice.domain import RECORDING_MAX_BYTES, RECORDINGS_MOST, RecordingTooLarge

_MOST_BYTES = RECORDING_MAX_BYTES + 64 * 1024  # all that is not a file has room in the difference
_MOST_FIELDS, _MOST_FIELD_BYTES = 16, 32 * 1024


class NotMultipart(Exception):
    """The request's body is no multipart/form-data."""


class MalformedForm(Exception):
    """The body claims to be multipart/form-data and is not; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, and what its files hold; those without a byte are left out, as browsers send them."""

    fields: Mapping[str, str]
    files: Sequence[bytes]


class _InMemory(MultiPartParser):
    """Keeps the files in memory, which the bound on the body makes safe: no disk, no hops to a thread."""

    spool_max_size = _MOST_BYTES + 1


async def read_form(request: Request, file_fields: Container[str]) -> Form:
    """Read a form with files, and stop as soon as they are too large together: nothing beyond the limit is kept.

    Raises NotMultipart, MalformedForm, RecordingTooLarge.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise NotMultipart
    body = _bounded(request)
    limits = {"max_files": RECORDINGS_MOST, "max_fields": _MOST_FIELDS, "max_part_size": _MOST_FIELD_BYTES}
    parser = _InMemory(request.headers, body, **limits)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise MalformedForm(error.message) from error
    except UnicodeError as error:
        raise MalformedForm("a field is not in the character set that the form names; use UTF-8") from error
    finally:
        await body.aclose()
    try:
        return await _contents(form, file_fields)
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


async def _contents(form: FormData, file_fields: Container[str]) -> Form:
    named = [value for name, value in form.multi_items() if name in file_fields and isinstance(value, UploadFile)]
    files = [content for content in [await file.read() for file in named] if content]
    if sum(map(len, files)) > RECORDING_MAX_BYTES:
        raise RecordingTooLarge
    return Form({name: value for name, value in form.items() if isinstance(value, str)}, files)
