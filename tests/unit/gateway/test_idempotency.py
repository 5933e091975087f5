"""What is a key, what is the same request, and what a repetition is told."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from uuid import UUID

import pytest

from libs.ids import new_id
from libs.web import Once
from services.gateway.adapters.sealing import Sealing, Unreadable
from services.gateway.domain.failures import InvalidIdempotencyKey
from services.gateway.domain.idempotency import (
    COMMITTED,
    BodyHash,
    Course,
    Outcome,
    Record,
    Repeatable,
    checked_key,
    course_of,
    hash_of,
    is_kept_whole,
    kept_headers,
    outcome_of,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ORG = UUID(int=7)


@pytest.mark.parametrize("key", ["k", "~" * 255, "!", str(UUID(int=1))])
def test_visible_ascii_is_a_key(key: str) -> None:
    assert checked_key([key]) == key


@pytest.mark.parametrize("values", [[""], ["a b"], ["\t"], ["é"], ["k" * 256], ["k\n"], ["a", "b"], ["a", "a"]])
def test_anything_else_is_none(values: list[str]) -> None:
    with pytest.raises(InvalidIdempotencyKey):
        checked_key(values)


def test_parts_are_told_from_each_other() -> None:
    assert hash_of(b"ab", b"c") != hash_of(b"a", b"bc") != hash_of(b"abc")


def _hash(body: bytes, content_type: str | None, cuts: list[int]) -> bytes:
    digest = BodyHash(content_type)
    for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        digest.update(body[begin:end])
    return digest.digest()


def _form(boundary: str, content: bytes) -> bytes:
    mark = b"--" + boundary.encode()
    return mark + b'\r\ncontent-disposition: form-data; name="file"\r\n\r\n' + content + b"\r\n" + mark + b"--\r\n"


def test_of_a_form_all_counts_but_its_boundary_however_it_comes() -> None:
    dice = random.Random(1)
    content = b"--- \r\n--bou --boun\r\n" + dice.randbytes(500)
    hashes = set()
    for boundary in ("boundary-of-one", '"quoted"', "x"):
        body = _form(boundary.strip('"'), content)
        for _ in range(200):
            cuts = sorted(dice.randrange(len(body)) for _ in range(dice.randrange(8)))
            hashes.add(_hash(body, f"multipart/form-data; charset=utf-8; boundary={boundary}", cuts))
    assert len(hashes) == 1
    other = _form("x", content + b"!")
    assert _hash(other, "multipart/form-data; boundary=x", []) not in hashes


@pytest.mark.parametrize("content_type", [None, "application/json", "multipart/form-data"])
def test_of_anything_else_every_byte_counts(content_type: str | None) -> None:
    assert _hash(b'{"a":1}', content_type, [3]) == _hash(b'{"a":1}', content_type, [])
    assert _hash(b'{"a":1}', content_type, []) != _hash(b'{"a": 1}', content_type, [])


@pytest.mark.parametrize(
    ("has_key", "body", "status", "answer", "course"),
    [
        (True, b"other", None, None, Course.REFUSE_REUSE),
        (True, b"other", 201, b"x", Course.REFUSE_REUSE),
        (True, b"body", None, None, Course.REFUSE_RUNNING),
        (False, b"body", None, None, Course.JOIN),
        (True, b"body", 201, b"x", Course.REPLAY),
        (True, b"body", 200, None, Course.REMAKE),
        (True, b"body", COMMITTED, None, Course.REFUSE_LOST),
    ],
)
def test_what_becomes_of_a_repetition(
    has_key: bool, body: bytes, status: int | None, answer: bytes | None, course: Course
) -> None:
    request = Repeatable(ORG, b"k" * 32, b"body", has_key=has_key)
    assert course_of(request, Record(body, new_id(), status, answer, NOW), NOW) is course


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, Outcome.ANSWERED), (204, Outcome.ANSWERED), (303, Outcome.ANSWERED)]
    + [(status, Outcome.OVER) for status in (400, 401, 402, 404, 408, 409, 413, 422, 429)]
    + [(status, Outcome.UNCERTAIN) for status in (500, 502, 503, 504)],
)
def test_what_an_answer_means_for_repetitions(status: int, outcome: Outcome) -> None:
    assert outcome_of(status) is outcome


@pytest.mark.parametrize(
    ("media_type", "whole"),
    [
        (None, True),
        (b"application/json", True),
        (b"Application/Problem+JSON; charset=utf-8", True),
        (b"application/x-ndjson", False),
        (b"text/event-stream", False),
        (b"audio/mpeg", False),
        (b"application/zip", False),
    ],
)
def test_documents_are_kept_and_streams_are_not(media_type: bytes | None, whole: bool) -> None:
    assert is_kept_whole([] if media_type is None else [(b"content-type", media_type)]) is whole


def test_framing_and_the_requests_id_are_not_kept() -> None:
    kept = [(b"content-type", b"a/b"), (b"location", b"/x"), (b"set-thing", b"1")]
    assert kept_headers([*kept, (b"Content-Length", b"1"), (b"x-request-id", b"r"), (b"connection", b"close")]) == kept


def test_what_is_sealed_opens_as_the_same_record_with_the_same_keys() -> None:
    keys = {"voice": b"a" * 32, "storage": b"b" * 32}
    sealed = Sealing(keys).seal(b"secret", ORG, b"k" * 32)
    assert b"secret" not in sealed
    assert Sealing(dict(reversed(keys.items()))).open(sealed, ORG, b"k" * 32) == b"secret"
    for opened_with, org_id, key_hash in (
        (keys | {"voice": b"c" * 32}, ORG, b"k" * 32),
        (keys, UUID(int=8), b"k" * 32),
        (keys, ORG, b"l" * 32),
    ):
        with pytest.raises(Unreadable):
            Sealing(opened_with).open(sealed, org_id, key_hash)
    for broken in (sealed[:-1], b"", sealed[:12], bytes(len(sealed))):
        with pytest.raises(Unreadable):
            Sealing(keys).open(broken, ORG, b"k" * 32)


def test_the_changes_of_one_request_have_ids_of_their_own_that_stay_the_same() -> None:
    once = Once(new_id())
    ids = [once.part(number).resource_id for number in range(50)]
    assert ids[0] == once.resource_id
    assert len(set(ids)) == 50
    assert ids == [once.part(number).resource_id for number in range(50)]
    for one in ids:
        assert (one.version, one.variant, one.bytes[:6]) == (7, once.resource_id.variant, once.resource_id.bytes[:6])
