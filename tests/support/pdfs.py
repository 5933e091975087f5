"""PDF documents with text, written by hand: what no library is needed for."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

_FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
_CATALOG, _PAGES, _FONT_NUMBER = 1, 2, 3


def pdf(pages: Sequence[str], *, trailer: str = "") -> bytes:
    """Return a PDF whose pages have these lines, in Latin letters."""
    objects: dict[int, bytes] = {_FONT_NUMBER: _FONT}
    kids = []
    for number, page in enumerate(pages):
        own, content = 10 + 2 * number, 11 + 2 * number
        lines = " ".join(f"({_escaped(line)}) Tj T*" for line in page.splitlines())
        objects[content] = stream(f"BT /F 11 Tf 14 TL 40 800 Td {lines} ET".encode("latin-1"))
        objects[own] = page_object(content)
        kids.append(f"{own} 0 R")
    objects[_PAGES] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    return assembled(objects, trailer=trailer)


def page_object(content: int, parent: int = _PAGES) -> bytes:
    """Return a page whose lines are those of the object `content`."""
    return (
        f"<< /Type /Page /Parent {parent} 0 R /MediaBox [0 0 595 842] /Contents {content} 0 R "
        f"/Resources << /Font << /F {_FONT_NUMBER} 0 R >> >> >>"
    ).encode()


def stream(content: bytes, *, packed: int = 1) -> bytes:
    """Return a stream object, compressed so many times."""
    for _ in range(packed):
        content = zlib.compress(content, 9)
    filters = " ".join(["/FlateDecode"] * packed)
    return f"<< /Length {len(content)} /Filter [{filters}] >>\nstream\n".encode() + content + b"\nendstream"


def assembled(objects: Mapping[int, bytes], *, trailer: str = "") -> bytes:
    """Return the file of these objects by number; 1 is the catalogue, and 2 the tree of pages unless it says so."""
    known = {_CATALOG: f"<< /Type /Catalog /Pages {_PAGES} 0 R >>".encode(), **objects}
    body, places = b"%PDF-1.7\n", {}
    for number, content in sorted(known.items()):
        places[number] = len(body)
        body += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    table = "".join(f"{number} 1\n{place:010} 00000 n \n" for number, place in places.items())
    end = f"trailer << /Root {_CATALOG} 0 R /Size {max(places) + 1} {trailer} >>\nstartxref\n{len(body)}\n%%EOF"
    return body + f"xref\n0 1\n0000000000 65535 f \n{table}{end}".encode()


def _escaped(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
