"""What clients are told when something cannot be done."""

from __future__ import annotations

import math
from collections.abc import Mapping

from libs.web import Problem, ProblemOf
from services.embedding import domain

RETRY_AFTER_SECONDS = 5


def no_meaning(error: domain.EmbeddingError) -> Problem:
    wait = error.retry_after if isinstance(error, domain.EmbeddingUnavailable) else None
    return Problem(
        503,
        "embedding_unavailable",
        "The query's meaning cannot be computed at the moment",
        'Repeat the request later, or search by words alone with "mode": "text".',
        headers={"Retry-After": str(math.ceil(wait or RETRY_AFTER_SECONDS))},
    )


NOT_FOUND = Problem(
    404,
    "document_not_found",
    "There is no such document",
    "GET /v1/documents lists those that there are.",
)


def owned(error: domain.DocumentOwned) -> Problem:
    return Problem(
        409,
        "document_owned",
        f"The document is a {error}'s",
        f"It goes when the {error} is deleted: delete that.",
    )


PROBLEMS: Mapping[type[Exception], ProblemOf] = {
    domain.EmbeddingError: no_meaning,
    domain.DocumentNotFound: lambda _error: NOT_FOUND,
    domain.DocumentOwned: owned,
}
