"""How documents are brought: as JSON with their text, or as a form with a file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, Self
from uuid import UUID

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from libs.web import forms, inlined
from services.embedding import domain
from services.embedding.api.parts import Metadata, Storable
from services.embedding.domain import documents as limits
from services.embedding.domain import files

ClientType = Literal[
    "chat",
    "knowledge",
    "knowledge_link",
    "knowledge_file",
    "portfolio",
    "training_chat",
    "manual_entry",
    "portfolio_insight",
]
FILE_FIELDS = ("file",)
TITLE_MAX_LENGTH = 200
_OWN_KEYS = frozenset(("start", "end"))
"""What is kept of every chunk under these names."""


class DocumentFields(BaseModel):
    """What is said of a document beside its text. Unknown fields are refused, so that no typing error passes."""

    model_config = ConfigDict(extra="forbid")

    title: Storable = Field(
        default="",
        max_length=TITLE_MAX_LENGTH,
        description="Unless given the name of the file, or the beginning of the text.",
    )
    source_type: ClientType = "knowledge"
    source_id: Storable | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Your own id of it: another text under the same one takes the former's place.",
    )
    metadata: Metadata = Field(default_factory=dict, description="Searches can be narrowed by it.")

    @field_validator("metadata")
    @classmethod
    def _not_ours(cls, metadata: dict[str, str]) -> dict[str, str]:
        if _OWN_KEYS & metadata.keys():
            raise ValueError("may not have the keys start and end, which are kept of every passage")
        return metadata


class NewDocument(DocumentFields):
    """A text that is to be found."""

    text: Storable = Field(
        min_length=1, max_length=limits.TEXT_MAX_LENGTH, examples=["Your money comes back within fourteen days."]
    )
    format: domain.TextFormat = Field(
        default=domain.TextFormat.TEXT, description="HTML and subtitles (SRT, WebVTT) are read as plain text."
    )

    @model_validator(mode="after")
    def _has_words(self) -> Self:
        if not self.content().strip():
            raise ValueError("text: has nothing but white space and markup; there is nothing to find")
        return self

    def content(self) -> str:
        """Return the text without its markup."""
        return domain.read_text(self.text, self.format)


class FileFields(DocumentFields):
    """What is said of a document that is a file."""

    source_type: ClientType = "knowledge_file"
    format: domain.TextFormat | None = Field(
        default=None, description="How a text is meant; unless given, its beginning tells. A PDF is known as one."
    )


class UploadedDocument(FileFields):
    """A file that is to be found, and was uploaded before."""

    upload_id: UUID = Field(
        description="A finished upload of a document, instead of `text`: a PDF, text, Markdown, HTML or subtitles."
    )


class DocumentForm(FileFields):
    """The fields of a form that brings a file."""

    @field_validator("metadata", mode="before")
    @classmethod
    def _of_json(cls, metadata: object) -> object:
        if not isinstance(metadata, str):
            return metadata
        try:
            return orjson.loads(metadata)
        except orjson.JSONDecodeError:
            raise ValueError('has to be a JSON object of texts, as {"shop": "north"}') from None


class Brought(BaseModel):
    """What a request brings: `content` is text without markup, or the bytes of a PDF."""

    fields: DocumentFields
    title: str
    content: str | bytes


Fetch = Callable[[UUID], Awaitable[tuple[str, bytes]]]
"""Returns name and bytes of a finished upload."""


async def read_brought(request: Request, fetch: Fetch) -> Brought:
    """Read what a request brings, whichever way.

    Raises RequestValidationError, MalformedForm, FilesTooLarge, and what `fetch` raises.
    """
    if forms.is_form(request):
        form = await forms.read_form(request, FILE_FIELDS, most_bytes=files.FILE_MAX_BYTES, most_files=1)
        return _of_form(form)
    body = await request.body()
    if _names_upload(body):
        return await _of_upload(body, fetch)
    try:
        new = NewDocument.model_validate_json(body)
    except ValidationError as error:
        raise _invalid(error) from None
    text = new.content()
    return Brought(fields=new, title=new.title.strip() or domain.title_of(text), content=text)


def _of_form(form: forms.Form) -> Brought:
    try:
        fields = DocumentForm.model_validate(form.fields)
    except ValidationError as error:
        raise _invalid(error) from None
    if not form.files:
        raise _wrong("file", "is missing, or has no byte")
    (file,) = form.files
    return _of_file(fields, "file", file.name, file.content)


def _names_upload(body: bytes) -> bool:
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False  # which is told with the place of the mistake when it is read as a text
    return isinstance(sent, dict) and "upload_id" in sent


async def _of_upload(body: bytes, fetch: Fetch) -> Brought:
    try:
        fields = UploadedDocument.model_validate_json(body)
    except ValidationError as error:
        raise _invalid(error) from None
    return _of_file(fields, "upload_id", *await fetch(fields.upload_id))


def _of_file(fields: FileFields, field: str, name: str, content: bytes) -> Brought:
    """Read a file that came in, or by, a field of the request."""
    is_pdf = domain.kind_of(content) is domain.FileKind.PDF
    read = content if is_pdf else _text(content, fields.format, field)
    if is_pdf and domain.PAGE in fields.metadata:
        raise _wrong("metadata", "may not have the key page, which is kept of every passage of a PDF")
    title = fields.title.strip() or _named(name) or (domain.title_of(read) if isinstance(read, str) else "")
    return Brought(fields=fields, title=title, content=read)


def _text(content: bytes, form: domain.TextFormat | None, field: str) -> str:
    try:
        text = domain.text_of(content, form)
    except domain.FileRefused as reason:
        raise _wrong(field, str(reason)) from None
    if not text.strip():
        raise _wrong(field, "has nothing but white space and markup; there is nothing to find")
    if len(text) > limits.TEXT_MAX_LENGTH:
        raise _wrong(field, f"has more than {limits.TEXT_MAX_LENGTH} characters of text; split it")
    return text


def _named(name: str) -> str:
    """A file's name without the folders that some send along."""
    plain = name.replace("\\", "/").rpartition("/")[2]
    return "".join(one for one in plain if one.isprintable()).strip()[:TITLE_MAX_LENGTH]


def _wrong(field: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": "value_error", "loc": ("body", field), "msg": message, "input": None}])


def _invalid(error: ValidationError) -> RequestValidationError:
    return RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()])


def _form_schema() -> dict[str, Any]:  # Any: JSON Schema
    schema = inlined(DocumentForm.model_json_schema())
    schema["properties"]["metadata"] = {
        "type": "string",
        "title": "Metadata",
        "description": "A JSON object of texts; searches can be narrowed by it.",
        "examples": ['{"shop": "north"}'],
    }
    schema["properties"]["file"] = {
        "type": "string",
        "format": "binary",
        "title": "File",
        "description": "A PDF, text, Markdown, HTML or subtitles, of at most 20 MB; known by its bytes.",
        "examples": ["…"],
    }
    schema["required"] = ["file"]
    return schema


def _json_schema() -> dict[str, Any]:  # Any: JSON Schema
    """A text, or an upload; what is said beside it is the same, but for what is taken unless it is said."""
    text, upload = (inlined(one.model_json_schema()) for one in (NewDocument, UploadedDocument))
    properties = {**upload["properties"], **text["properties"]}
    for name, unless_given in (
        ("source_type", "Unless given `knowledge`; of an upload `knowledge_file`."),
        ("format", "Of a text `text` unless given; of an upload its beginning tells, and a PDF is known as one."),
    ):
        said = {key: value for key, value in properties[name].items() if key != "default"}
        properties[name] = {**said, "description": unless_given}
    del text["required"]
    return {
        **text,
        "description": "A text that is to be found, or an upload.",
        "properties": properties,
        "oneOf": [{"required": ["text"]}, {"required": ["upload_id"]}],
    }


REQUEST_BODY: dict[str, Any] = {  # Any: OpenAPI
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _json_schema()},
            "multipart/form-data": {"schema": _form_schema()},
        },
    }
}
