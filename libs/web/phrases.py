"""What statuses of HTTP are called, under every Python the same."""

from __future__ import annotations

from http import HTTPStatus

_RENAMED = {
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    416: "Requested Range Not Satisfiable",
    422: "Unprocessable Entity",
}
"""Python 3.13 took over the names of RFC 9110; the document that clients know has those from before."""


def phrase_of(status: int) -> str:
    """Return the words for a status; raises ValueError when there is none of that number."""
    return _RENAMED.get(status) or HTTPStatus(status).phrase
