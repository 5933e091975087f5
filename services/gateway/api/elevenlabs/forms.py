"""Forms, as the API's document describes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def form_schema(*, required: Sequence[str], **fields: Any) -> dict[str, Any]:  # Any: OpenAPI
    """Return the `openapi_extra` of a route that takes a form of these fields."""
    schema = {"type": "object", "required": list(required), "properties": fields}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
