from __future__ import annotations

from tests.integration.messaging.conftest import group as group
from tests.integration.messaging.conftest import scratch as scratch
