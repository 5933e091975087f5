"""The OpenAPI document, and a page that shows it without anything from elsewhere."""

from __future__ import annotations

from services.gateway.api.documentation.routes import router as router
