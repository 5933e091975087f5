"""HTTP for services: identity, errors, health."""

from __future__ import annotations

from libs.web.app import create_app
from libs.web.identity import Caller, CallerOf, IdentityVerifier, Unauthenticated
from libs.web.problems import Problem, ProblemOf, invalid_field, problem_response

__all__ = [
    "Caller",
    "CallerOf",
    "IdentityVerifier",
    "Problem",
    "ProblemOf",
    "Unauthenticated",
    "create_app",
    "invalid_field",
    "problem_response",
]
