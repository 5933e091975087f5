"""Run by path in any interpreter: takes `libs` from beside this file and everything else from that interpreter.

    python -I boot.py --engine NAME ...

An engine may need versions of packages that are not ours, so our environment must not become a part of its import path.
"""

from __future__ import annotations

import runpy
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

if __name__ == "__main__":
    package = Path(__file__).resolve().parents[2]
    spec = spec_from_file_location("libs", package / "__init__.py", submodule_search_locations=[str(package)])
    assert spec is not None
    sys.modules["libs"] = module_from_spec(spec)
    runpy.run_module("libs.speech.adapters.host_process", run_name="__main__")
