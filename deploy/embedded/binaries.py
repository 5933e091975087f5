"""Programs that come in wheels as plain executables."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from deploy.embedded.errors import StackError


def find_binary(name: str) -> Path:
    """The executable beside this Python, where its wheel puts it, else on the PATH.

    Raises StackError when it is not installed.
    """
    beside = Path(sys.executable).parent / name
    if beside.is_file():
        return beside
    found = shutil.which(name)
    if found is None:
        raise StackError(f"{name} is not installed in this environment. Install it: make setup")
    return Path(found)
