from __future__ import annotations

import pytest

from services.gateway.domain.headers import answer_headers, conditions, read_request_headers


def test_what_ends_at_the_gateway() -> None:
    ending = [
        (b"authorization", b"Bearer x"),
        (b"connection", b"keep-alive, X-Hop"),
        (b"content-length", b"5"),
        (b"cookie", b"a=b"),
        (b"expect", b"100-continue"),
        (b"forwarded", b"for=1.2.3.4"),
        (b"host", b"antiphon"),
        (b"keep-alive", b"timeout=5"),
        (b"proxy-authorization", b"x"),
        (b"te", b"trailers"),
        (b"trailer", b"x"),
        (b"traceparent", b"00-1-2-01"),
        (b"upgrade", b"h2c"),
        (b"x-antiphon-identity", b"forged"),
        (b"x-forwarded-for", b"1.2.3.4"),
        (b"x-hop", b"1"),
        (b"x-request-id", b"mine"),
    ]
    passing = [(b"accept", b"*/*"), (b"prefer", b"wait=10"), (b"range", b"bytes=0-1")]
    read = read_request_headers([*ending, *passing])
    assert read.passed == [(name.decode(), value.decode()) for name, value in passing]
    assert read.authorization == "Bearer x"
    assert read.request_id == "mine"
    assert read.content_length == 5
    assert read.expects_continue
    assert read.trace == {"traceparent": "00-1-2-01"}
    assert conditions(read.passed) == [("accept", "*/*"), ("range", "bytes=0-1")]


def test_a_connection_that_is_only_kept_drops_nothing() -> None:
    assert read_request_headers([(b"connection", b"keep-alive"), (b"accept", b"*/*")]).passed == [("accept", "*/*")]


@pytest.mark.parametrize(
    ("headers", "has_body"),
    [
        ([], False),
        ([(b"content-length", b"0")], False),
        ([(b"content-length", b"1")], True),
        ([(b"transfer-encoding", b"chunked")], True),
    ],
)
def test_which_requests_have_a_body(headers: list[tuple[bytes, bytes]], has_body: bool) -> None:
    assert read_request_headers(headers).has_body is has_body


@pytest.mark.parametrize("name", [b"authorization", b"x-request-id"])
def test_what_is_said_twice_is_not_believed(name: bytes) -> None:
    read = read_request_headers([(name, b"a"), (name, b"b")])
    assert (read.authorization, read.request_id) == (None, None)


@pytest.mark.parametrize("value", [b"", b"a b", b"a\tb", b"x" * 129, b"<script>", "é".encode(), b"a\n"])
def test_request_ids_that_could_do_harm_are_not_taken(value: bytes) -> None:
    assert read_request_headers([(b"x-request-id", value)]).request_id is None


def test_text_keeps_its_bytes() -> None:
    read = read_request_headers([(b"x-name", "Zoë".encode()), (b"x-old", b"Zo\xeb")])
    assert read.passed == [("x-name", "Zoë"), ("x-old", "Zoë")]


def test_what_of_an_answer_goes_on() -> None:
    sent = [
        (b"Content-Type", b"audio/mpeg"),
        (b"Content-Length", b"5"),
        (b"Vary", b"a"),
        (b"Vary", b"b"),
        (b"Connection", b"X-Hop, close"),
        (b"X-Hop", b"1"),
        (b"Keep-Alive", b"timeout=5"),
        (b"Transfer-Encoding", b"chunked"),
        (b"X-Antiphon-Handover", b"storage /internal/x"),
        (b"X-Request-Id", b"theirs"),
    ]
    kept = [(b"content-type", b"audio/mpeg"), (b"vary", b"a"), (b"vary", b"b")]
    assert answer_headers(304, sent) == answer_headers(204, sent) == kept
    assert answer_headers(200, sent) == [kept[0], (b"content-length", b"5"), *kept[1:]]
