from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain.access import Scope
from services.gateway.domain.route_table import MethodNotAllowed, RouteTable
from services.gateway.domain.routes import BOOK_BYTES, JSON_BYTES, MIB, ROUTES, Route

TABLE = RouteTable(ROUTES)
ID = "0190a0c0-0000-7000-8000-000000000000"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_every_route_is_found_by_a_path_of_its_template(route: Route) -> None:
    path = "/".join(ID if segment.startswith("{") else segment for segment in route.template.split("/"))
    assert TABLE.find(route.method, path) is route


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/v1",
        "/v1/",
        "/v1/voices/",
        "/v1/voices//audio",
        "//v1/voices",
        "/v1/voices/a/audio/",
        "/v1/voices/a/b",
        "/v1/voices/.",
        "/v1/voices/..",
        "/v1/voices/../voices",
        "/v1/voices/%2e%2e",
        "/v1/voices/a%2Faudio",
        "/v1/voices/a b",
        "/v1/voices/a\\b",
        "/v1/voices/a;b",
        "/v1/voices/é",
        "/v1/voices/" + "a" * 201,
        "/V1/voices",
        "/internal/objects/voices/system/a",
        "v1/voices",
        "*",
    ],
)
def test_other_paths_are_not_found(path: str) -> None:
    assert TABLE.find("GET", path) is None


@given(st.text(max_size=30))
def test_a_parameter_is_one_plain_segment(text: str) -> None:
    found = TABLE.find("GET", f"/v1/voices/{text}")
    if found is not None and found.template == "/v1/voices/{voice_id}":
        assert text.isascii()
        assert not set(text) & set("/%?#\\;: \t\r\n")
        assert text not in (".", "..")


def test_another_method_says_which_there_are() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        TABLE.find("PUT", f"/v1/voices/{ID}/audio")
    assert caught.value.allowed == ("GET", "HEAD")


def test_a_literal_goes_before_a_parameter_and_does_not_hide_it() -> None:
    literal = Route("GET", "/v1/history/download", "storage", Scope.SPEECH_READ)
    parameter = Route("GET", "/v1/history/{id}", "storage", Scope.SPEECH_READ)
    deeper = Route("GET", "/v1/history/{id}/audio", "storage", Scope.SPEECH_READ)
    table = RouteTable([parameter, deeper, literal])
    assert table.find("GET", "/v1/history/download") is literal
    assert table.find("GET", "/v1/history/other") is parameter
    assert table.find("GET", "/v1/history/download/audio") is deeper


def test_a_route_is_declared_once() -> None:
    with pytest.raises(ValueError, match="two routes for GET /v1/voices"):
        RouteTable([*ROUTES, Route("GET", "/v1/voices", "storage", Scope.SPEECH_READ)])


def test_limits() -> None:
    spoken = "/text-to-speech/{voice_id}"
    uploads = [route for route in ROUTES if (route.method, route.template) == ("POST", "/v1/voices")]
    recorded = ("/v1/voices/add", "/v1/alignments", "/v1/forced-alignment", "/v1/documents")
    uploads += [route for route in ROUTES if route.method == "POST" and route.template.endswith(recorded)]
    assert [route.body_bytes for route in uploads] == [21 * MIB] * 7
    long = ("/v1/generations", f"/v1/generations/{ID}/revise")
    books = [TABLE.find("POST", path) for path in long]
    books += [route for route in ROUTES if spoken in route.template]
    assert [book.body_bytes for book in books if book] == [BOOK_BYTES] * 10
    assert {route.body_bytes for route in ROUTES if route not in (*uploads, *books)} == {JSON_BYTES}


def test_their_calls_are_under_their_prefix_and_at_the_root_where_none_of_ours_is() -> None:
    for path in ("/v1/voices", "/v1/models"):
        ours, theirs = TABLE.find("GET", path), TABLE.find("GET", f"/elevenlabs{path}")
        assert ours
        assert theirs
        assert (ours.dialect, theirs.dialect) == ("antiphon", "elevenlabs")
    for path in ("/v2/voices", "/v1/history", "/v1/pronunciation-dictionaries/", "/v1/user/subscription"):
        found = TABLE.find("GET", path)
        assert found is not None
        assert found.dialect == "elevenlabs"


def test_their_clients_are_never_made_to_repeat_a_form_of_which_they_would_leave_the_fields_out() -> None:
    for path in ("/elevenlabs/v1/voices/add", f"/v1/voices/{ID}/edit", "/v1/pronunciation-dictionaries/add-from-file"):
        found = TABLE.find("POST", path)
        assert found is not None
        assert found.dialect == "elevenlabs_once"


def test_the_longest_text_fits_however_it_is_escaped() -> None:
    assert len(json.dumps("\N{SPEAKING HEAD IN SILHOUETTE}" * 1_000_000)) < BOOK_BYTES


def test_a_generation_can_be_waited_for_for_a_minute() -> None:
    waiting = TABLE.find("POST", "/v1/generations")
    assert waiting is not None
    assert waiting.answer_seconds > 60


def test_no_path_within_a_service_is_public() -> None:
    assert all(route.template.startswith("/v1/") for route in ROUTES if route.service)
