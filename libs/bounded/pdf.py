"""What reading PDF documents needs, loaded before the limits within which they are read."""

from __future__ import annotations

import codecs
import encodings
import io
import pkgutil
from contextlib import suppress

from pypdf import PdfReader, PdfWriter

_PROTECTIONS = ("RC4-40", "RC4-128", "AES-128", "AES-256-R5", "AES-256")


def load_pdf_reader() -> None:
    """Have pypdf load what it loads when a document first needs it: within the limits there is no file to load.

    What is missing then is an error like those of a damaged document, and would be taken for one.
    """
    _load_codecs()
    for protection in (None, *_PROTECTIONS):
        writer, written = PdfWriter(), io.BytesIO()
        writer.add_blank_page(width=100, height=100)
        if protection is not None:
            # What is forbidden is printing, say: it opens without a password.
            writer.encrypt("", algorithm=protection)
        writer.write(written)
        reader = PdfReader(written, strict=False)
        assert len(reader.pages) == 1
        assert reader.is_encrypted == (protection is not None)


def _load_codecs() -> None:
    """Load all that come with Python: the strings of a document may be UTF-16, the letters of its fonts GBK."""
    for module in pkgutil.iter_modules(encodings.__path__):
        with suppress(LookupError):  # those of other systems, and what is no codec
            codecs.lookup(module.name)
