"""A form on its way to a service: passed on piece by piece, its small fields read in passing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Container, Mapping

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from services.gateway.adapters.questions import Body
from services.gateway.domain.failures import InvalidField

FIELD_MAX_BYTES = 16 * 1024


class PassedForm:
    """A body that is multipart/form-data. When it is through, `fields` has what the fields named `wanted` hold."""

    def __init__(self, body: Body, content_type: str, wanted: Container[str]) -> None:
        """Raises InvalidField for a content type that is no form's."""
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or b"boundary" not in options:
            raise InvalidField("body", "is to be multipart/form-data")
        self.fields: dict[str, str] = {}
        self._body = body
        self._wanted = wanted
        self._header, self._value = b"", b""
        self._name: str | None = None
        self._held = b""
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_header_field": self._take_header,
                "on_header_value": self._take_value,
                "on_header_end": self._end_header,
                "on_part_data": self._take_data,
                "on_part_end": self._end_part,
            },
        )

    @property
    def started(self) -> bool:
        return self._body.started

    @property
    def awaits_client(self) -> bool:
        return self._body.awaits_client

    @property
    def failure(self) -> Exception | None:
        return self._body.failure

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the pieces as they come. What is no form is the service's to refuse: from then on nothing is read."""
        understood = True
        async for piece in self._body.chunks():
            if understood:
                try:
                    self._parser.write(piece)
                except FormParserError:
                    understood = False
            yield piece

    def _take_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._name = _field_name(parse_options_header(self._value)[1], self._wanted)
        self._header, self._value = b"", b""

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self._name is not None and len(self._held) <= FIELD_MAX_BYTES:
            self._held += data[start:end]

    def _end_part(self) -> None:
        if self._name is not None and len(self._held) <= FIELD_MAX_BYTES:
            self.fields[self._name] = self._held.decode("utf-8", errors="replace")
        self._name, self._held = None, b""


def _field_name(options: Mapping[bytes, bytes], wanted: Container[str]) -> str | None:
    name = options.get(b"name", b"").decode("latin-1")
    return name if name in wanted and b"filename" not in options else None
