"""What clients are told when something cannot be done."""

from __future__ import annotations

import math
from collections.abc import Mapping

from libs.objectstore import ObjectStoreUnavailable
from libs.web import Problem, ProblemOf, forms, invalid_field
from libs.web.problems import UNAVAILABLE
from services.embedding import domain
from services.embedding.domain import files
from services.embedding.domain.uploads import UploadTooLarge, UploadUnusable

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


TOO_SLOW = Problem(
    503,
    "search_timeout",
    "The search took too long and was given up",
    "Repeat it later, when less is going on, or narrow it: by source_types, source_ids, metadata or dates.",
    headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
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


_MOST = f"has more than {files.FILE_MAX_BYTES // 2**20} MB"


def too_large(field: str) -> Problem:
    return Problem(
        413,
        "file_too_large",
        "The file is too large",
        f"{field}: {_MOST}; split it, or bring its text.",
        {"errors": [{"field": field, "message": _MOST, "limit": files.FILE_MAX_BYTES}]},
    )


TOO_LARGE = too_large("file")


PROBLEMS: Mapping[type[Exception], ProblemOf] = {
    domain.EmbeddingError: no_meaning,
    domain.SearchTooSlow: lambda _error: TOO_SLOW,
    domain.DocumentNotFound: lambda _error: NOT_FOUND,
    domain.DocumentOwned: owned,
    UploadUnusable: lambda error: invalid_field("upload_id", str(error)),
    UploadTooLarge: lambda _error: too_large("upload_id"),
    ObjectStoreUnavailable: lambda _error: UNAVAILABLE,
    forms.FilesTooLarge: lambda _error: TOO_LARGE,
    forms.MalformedForm: lambda error: invalid_field("body", str(error)),
}
