"""Which models there are."""

from __future__ import annotations

from typing import Any

import openai

from tests.sdks.claiming import claims, failure_of
from tests.sdks.openai.client import client_of


@claims("GET /v1/models")
def an_unknown_key_is_refused(given: dict[str, Any]) -> None:
    client = openai.OpenAI(base_url=f"{given['url']}/openai/v1", api_key="nobody's", max_retries=0)
    error = failure_of(client.models.list, openai.AuthenticationError)
    assert (error.status_code, error.code, error.type) == (401, "invalid_api_key", "authentication_error")


@claims("GET /v1/models", "GET /v1/models/{model}")
def models_are_listed_and_found(given: dict[str, Any]) -> None:
    client = client_of(given)
    listed = [model.id for model in client.models.list()]
    assert {"tts-1", "tts-1-hd", "gpt-4o-mini-tts", "text-embedding-3-small", "espeak-ng"} <= set(listed), listed
    assert len(listed) == len(set(listed))
    found = client.models.retrieve("tts-1")
    assert (found.id, found.object, found.owned_by) == ("tts-1", "model", "antiphon")


@claims("GET /v1/models/{model}")
def an_unknown_model_is_not_found(given: dict[str, Any]) -> None:
    client = client_of(given)
    error = failure_of(lambda: client.models.retrieve("gpt-5"), openai.NotFoundError)
    assert (error.code, error.type) == ("model_not_found", "not_found_error")
