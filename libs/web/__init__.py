"""HTTP for services: identity, errors, health."""

from __future__ import annotations

from libs.web.app import create_app
from libs.web.described import FILE_CONDITIONS, PathId, answered, asks, file_answers, handed_over, header, inlined, told
from libs.web.fields import Moment, Storable, as_id
from libs.web.handover import (
    HANDOVER_HEADER,
    OBJECT_HEADER,
    TAKES_OBJECTS_HEADER,
    ObjectPart,
    handover,
    object_handover,
)
from libs.web.identity import Caller, CallerOf, IdentityVerifier, Unauthenticated
from libs.web.once import Once, OnceOf, id_for
from libs.web.problems import Problem, ProblemOf, invalid_field, problem_response

__all__ = [
    "FILE_CONDITIONS",
    "HANDOVER_HEADER",
    "OBJECT_HEADER",
    "TAKES_OBJECTS_HEADER",
    "Caller",
    "CallerOf",
    "IdentityVerifier",
    "Moment",
    "ObjectPart",
    "Once",
    "OnceOf",
    "PathId",
    "Problem",
    "ProblemOf",
    "Storable",
    "Unauthenticated",
    "answered",
    "as_id",
    "asks",
    "create_app",
    "file_answers",
    "handed_over",
    "handover",
    "header",
    "id_for",
    "inlined",
    "invalid_field",
    "object_handover",
    "problem_response",
    "told",
]
