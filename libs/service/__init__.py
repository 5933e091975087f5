"""What every service is made of."""

from __future__ import annotations

from libs.service.composition import Composition, Runtime
from libs.service.cores import usable_cores
from libs.service.runtime import run
from libs.service.settings import ResourceSettings, ServiceSettings, read_secret

__all__ = ["Composition", "ResourceSettings", "Runtime", "ServiceSettings", "read_secret", "run", "usable_cores"]
