"""The text codecs, which Python loads when they are first needed: within limits they can no longer be."""

from __future__ import annotations

import codecs
import encodings
import pkgutil
from contextlib import suppress


def load_codecs() -> None:
    """Load every codec that comes with Python.

    Which of them a file needs is told by the file: the strings of a PDF may be UTF-16, and its text GBK. One that is
    missing is an error like those of a damaged file, and would be taken for one.
    """
    for module in pkgutil.iter_modules(encodings.__path__):
        with suppress(LookupError):  # those of other systems, and what is no codec
            codecs.lookup(module.name)
