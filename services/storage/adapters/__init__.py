"""What lies outside: the object store."""

from __future__ import annotations

from services.storage.adapters.objects import StoredObject as StoredObject
from services.storage.adapters.objects import describe_object as describe_object
