"""Work on other people's files in processes that may be lost, each file bounded in time and memory."""

from __future__ import annotations

from libs.bounded.pool import BoundedPool, Broke, PoolUnavailable, TookTooLong
from libs.bounded.wire import Bounds

__all__ = ["BoundedPool", "Bounds", "Broke", "PoolUnavailable", "TookTooLong"]
