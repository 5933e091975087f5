"""Forms with files (multipart/form-data), read while they arrive."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Container, Mapping, Sequence
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

_AROUND_BYTES = 64 * 1024
"""All that is not a file has room in so many."""
_MOST_FIELDS, _MOST_FIELD_BYTES = 16, 32 * 1024


class NotMultipart(Exception):
    """The request's body is no multipart/form-data."""


class MalformedForm(Exception):
    """The body claims to be multipart/form-data and is not; the message says what is wrong with it."""


class FilesTooLarge(Exception):
    """The files have more bytes, together, than are taken."""


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file and what its sender calls it, which proves nothing."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, and what its files hold; those without a byte are left out, as browsers send them."""

    fields: Mapping[str, str]
    files: Sequence[SentFile]


def is_form(request: Request) -> bool:
    """Say whether a request's body claims to be a form with files."""
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


async def read_form(request: Request, file_fields: Container[str], *, most_bytes: int, most_files: int) -> Form:
    """Read a form with files, and stop as soon as they are too large together: nothing beyond the limit is kept.

    Raises NotMultipart, MalformedForm, FilesTooLarge.
    """
    if not is_form(request):
        raise NotMultipart
    body = _bounded(request, most_bytes + _AROUND_BYTES)
    parser = MultiPartParser(
        request.headers, body, max_files=most_files, max_fields=_MOST_FIELDS, max_part_size=_MOST_FIELD_BYTES
    )
    # The files stay in memory, which the bound on the body makes safe: no disk, no hops to a thread.
    parser.spool_max_size = most_bytes + _AROUND_BYTES + 1
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise MalformedForm(error.message) from error
    except UnicodeError as error:
        raise MalformedForm("a field is not in the character set that the form names; use UTF-8") from error
    finally:
        await body.aclose()
    try:
        return await _contents(form, file_fields, most_bytes)
    finally:
        await form.close()


async def _bounded(request: Request, most_bytes: int) -> AsyncGenerator[bytes]:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most_bytes:
        raise FilesTooLarge
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > most_bytes:
            raise FilesTooLarge
        yield chunk


async def _contents(form: FormData, file_fields: Container[str], most_bytes: int) -> Form:
    named = [value for name, value in form.multi_items() if name in file_fields and isinstance(value, UploadFile)]
    files = [SentFile(file.filename or "", await file.read()) for file in named]
    if sum(len(file.content) for file in files) > most_bytes:
        raise FilesTooLarge
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    return Form(fields, [file for file in files if file.content])
