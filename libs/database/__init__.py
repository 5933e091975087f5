"""PostgreSQL for services: scoped transactions, pages, schema pieces, provisioning and migrations."""

from __future__ import annotations

from libs.database.clock import DatabaseClock
from libs.database.engine import Database, Driver, TransactionHook, driver_of, require_durable
from libs.database.errors import is_database_away
from libs.database.pages import Cursor, InvalidCursor, Page, page_of
from libs.database.prepared import Prepared

__all__ = [
    "Cursor",
    "Database",
    "DatabaseClock",
    "Driver",
    "InvalidCursor",
    "Page",
    "Prepared",
    "TransactionHook",
    "driver_of",
    "is_database_away",
    "page_of",
    "require_durable",
]
