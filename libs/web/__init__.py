"""HTTP for services: identity, errors, health."""

from __future__ import annotations

from libs.web.app import create_app
from libs.web.handover import HANDOVER_HEADER, handover
from libs.web.identity import Caller, CallerOf, IdentityVerifier, Unauthenticated
from libs.web.problems import Problem, ProblemOf, invalid_field, problem_response

__all__ = [
    "HANDOVER_HEADER",
    "Caller",
    "CallerOf",
    "IdentityVerifier",
    "Problem",
    "ProblemOf",
    "Unauthenticated",
    "create_app",
    "handover",
    "invalid_field",
    "problem_response",
]
