"""The scratch database and broker of the messaging tests."""

from __future__ import annotations

from tests.integration.messaging.conftest import group, provisioned, scratch

__all__ = ["group", "provisioned", "scratch"]
