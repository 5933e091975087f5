"""PostgreSQL for services: scoped transactions, pages, schema pieces, provisioning and migrations."""

from __future__ import annotations

from libs.database.clock import DatabaseClock
from libs.database.engine import Database, Driver, TransactionHook
from libs.database.errors import is_database_away
from libs.database.pages import Cursor, InvalidCursor, Page, page_of

__all__ = [
    "Cursor",
    "Database",
    "DatabaseClock",
    "Driver",
    "InvalidCursor",
    "Page",
    "TransactionHook",
    "is_database_away",
    "page_of",
]
