"""The client as most people make it."""

from __future__ import annotations

from typing import Any

import openai


def client_of(given: dict[str, Any], path: str = "/openai/v1") -> openai.OpenAI:
    """Return a client of the gateway that does not repeat what fails."""
    return openai.OpenAI(base_url=given["url"] + path, api_key=given["api_key"], max_retries=0)
