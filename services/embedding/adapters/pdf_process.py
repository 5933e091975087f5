"""The process that reads PDF documents, run by `PdfReading`: python -m services.embedding.adapters.pdf_process."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from pypdf import PdfReader

from libs.bounded.pdf import load_pdf_reader
from libs.bounded.process import Answer, serve

_SCANNED = "the PDF has no text, only pictures (a scan?); recognise its text (OCR) first, and bring that"
_PROTECTED = "the PDF is protected, by a password or otherwise; save it without protection"
_DAMAGED = "the PDF is damaged and cannot be read; export it again, or bring its text"


_SAMPLE = b"""%PDF-1.4
1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj
2 0 obj << /Type /Pages /Kids [3 0 R] /Count 1 >> endobj
3 0 obj << /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>
endobj
4 0 obj << /Length 31 >>
stream
BT /F 9 Tf 9 9 Td (ready) Tj ET
endstream
endobj
5 0 obj << /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >> endobj
trailer << /Root 1 0 R /Size 6 >>
startxref
0
%%EOF
"""


class _Refused(Exception):
    """Nothing can be found in the file; the message says why."""


def _prepare() -> Answer:
    """Read a page before the first fork, whose limits would keep it from loading what that takes."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it says has the file's text in it
    load_pdf_reader()
    reader = PdfReader(io.BytesIO(_SAMPLE), strict=False)
    assert list(_pages(reader, 1, 100)) == ["ready"]
    return _answer


def _answer(asked: Mapping[str, Any], content: bytes) -> tuple[Mapping[str, str], bytes]:  # Any: JSON
    try:
        pages = _read(content, asked["pages"], asked["characters"])
    except _Refused as reason:
        return {"kind": "refused", "message": str(reason)}, b""
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - pypdf raises errors of every kind, and their messages repeat what is in the file
        return {"kind": "refused", "message": _DAMAGED}, b""
    return {"kind": "read"}, json.dumps(pages, ensure_ascii=False).encode()


def _read(content: bytes, most_pages: int, most_characters: int) -> list[str]:
    reader = PdfReader(io.BytesIO(content), strict=False)
    if reader.is_encrypted:
        # Many forbid only printing or copying and open without a password.
        try:
            is_open = bool(reader.decrypt(""))
        except Exception:  # noqa: BLE001 - as below; whatever it is that keeps it shut
            is_open = False
        if not is_open:
            raise _Refused(_PROTECTED)
    if len(reader.pages) > most_pages:
        raise _Refused(f"the PDF has {len(reader.pages)} pages, and {most_pages} are read at most; split it")
    pages = list(_pages(reader, most_pages, most_characters))
    if not any(page.strip() for page in pages):
        raise _Refused(_SCANNED)
    return pages


def _pages(reader: PdfReader, most_pages: int, most_characters: int) -> Iterator[str]:
    left = most_characters
    for _, page in zip(range(most_pages), reader.pages, strict=False):
        text = _storable(page.extract_text())
        left -= len(text) + 2
        if left < 0:
            raise _Refused(f"the PDF has more than {most_characters:,} characters of text; split it")
        yield text


def _storable(text: str) -> str:
    """What a database and UTF-8 can hold of a text: broken fonts give NULs and halves of characters."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return "\n".join(line.rstrip() for line in whole.replace("\0", "").splitlines()).strip()


if __name__ == "__main__":
    serve(_prepare)
