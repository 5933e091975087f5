from __future__ import annotations

import json
from typing import Any

import pytest

from libs.web import Problem, invalid_field
from services.gateway.api.dialects import render
from services.gateway.domain.routes import Dialect


def _told(problem: Problem, dialect: Dialect = "elevenlabs") -> tuple[int, dict[str, Any]]:  # Any: JSON
    told = render(problem, dialect, "a-request")
    assert told.media_type == "application/json"
    return told.status, json.loads(told.body)["detail"]


def test_a_problem_has_a_status_and_a_message() -> None:
    status, detail = _told(Problem(401, "unauthenticated", "A valid API key is needed", "Send one."))
    assert (status, detail) == (401, {"status": "invalid_api_key", "message": "Send one.", "request_id": "a-request"})


def test_fields_have_their_names() -> None:
    status, detail = _told(invalid_field("format", "is none"))
    assert (status, detail["message"]) == (422, "output_format: is none")
    assert _told(invalid_field("dictionaries.0.id", "is none"))[1]["message"] == (
        "pronunciation_dictionary_locators.0.id: is none"
    )


def test_an_unknown_voice_is_a_part_of_the_path() -> None:
    status, detail = _told(invalid_field("voice_id", "there is none", code="unknown_voice"))
    assert (status, detail["status"]) == (404, "voice_not_found")


@pytest.mark.parametrize(("code", "status"), [("system_voice", 400), ("generation_unfinished", 409)])
def test_a_conflict_that_no_repetition_ends_is_none_that_is_repeated(code: str, status: int) -> None:
    assert _told(Problem(409, code, "A conflict"))[0] == status


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_a_form_is_never_to_be_sent_again(status: int) -> None:
    headers = {"Retry-After": "1"}
    told, detail = _told(Problem(status, "overloaded", "Too much", headers=headers), "elevenlabs_once")
    assert (told, detail["status"]) == (400, "overloaded")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 415, 422])
def test_what_is_not_repeated_keeps_its_status(status: int) -> None:
    assert _told(Problem(status, "anything", "Something"), "elevenlabs_once")[0] == status
