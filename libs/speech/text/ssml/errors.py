"""What is wrong with a document, where, and what would be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`position` is the code point in the source, from 0; `line` and `column` count from 1, columns in code points."""

    position: int
    line: int
    column: int
    message: str


class SsmlError(Exception):
    """A document that is not accepted, with every problem that was found, in the order of the text."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"line {each.line}, column {each.column}: {each.message}" for each in problems))
        self.problems = list(problems)


def problem_at(source: str, position: int, message: str) -> Problem:
    """Return the problem with its line and column."""
    position = min(position, len(source))
    line_start = source.rfind("\n", 0, position) + 1
    return Problem(position, source.count("\n", 0, position) + 1, position - line_start + 1, message)
