"""The form that brings a voice's recordings."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request

from libs.web import forms
from services.voice.domain import RECORDING_MAX_BYTES, RECORDINGS_MOST, RecordingTooLarge


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, and what its files hold; those without a byte are left out, as browsers send them."""

    fields: Mapping[str, str]
    files: Sequence[bytes]


async def read_form(request: Request, file_fields: Container[str]) -> Form:
    """Read a form with recordings; nothing beyond the limits is kept.

    Raises NotMultipart, MalformedForm, RecordingTooLarge.
    """
    try:
        form = await forms.read_form(request, file_fields, most_bytes=RECORDING_MAX_BYTES, most_files=RECORDINGS_MOST)
    except forms.FilesTooLarge:
        raise RecordingTooLarge from None
    return Form(form.fields, [file.content for file in form.files])
