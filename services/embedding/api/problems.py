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


PROBLEMS: Mapping[type[Exception], ProblemOf] = {domain.EmbeddingError: no_meaning}
