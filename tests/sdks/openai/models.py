"""Which models there are."""

from __future__ import annotations

from typing import Any

import openai

from tests.sdks.claiming import claims, failure_of


@claims("GET /v1/models")
def an_unknown_key_is_refused(given: dict[str, Any]) -> None:
    client = openai.OpenAI(base_url=f"{given['url']}/v1", api_key="nobody's", max_retries=0)
    assert failure_of(client.models.list, openai.AuthenticationError).status_code == 401
