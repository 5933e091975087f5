"""What the two locked versions of PyAV want said differently: 18 below Python 3.12, 19 from there on."""

from __future__ import annotations

from typing import Any, BinaryIO

import av
from av.container import InputContainer

# Titles that are not in UTF-8 are no reason to refuse a file. 19 is lenient by itself, and knows no such argument.
_LENIENT = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}


def open_input(file: BinaryIO, **arguments: Any) -> InputContainer:  # Any: av.open's own
    """Open media for reading; the errors are those of `av.open`."""
    arguments |= _LENIENT
    opened: InputContainer = av.open(file, "r", **arguments)
    return opened
