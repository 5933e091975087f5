from __future__ import annotations

import pytest

from libs.web.phrases import phrase_of


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (200, "OK"),
        (404, "Not Found"),
        (413, "Request Entity Too Large"),
        (414, "Request-URI Too Long"),
        (416, "Requested Range Not Satisfiable"),
        (422, "Unprocessable Entity"),
    ],
)
def test_a_status_is_called_the_same_under_every_python(status: int, phrase: str) -> None:
    assert phrase_of(status) == phrase


def test_what_is_no_status_has_no_name() -> None:
    with pytest.raises(ValueError, match="999"):
        phrase_of(999)
