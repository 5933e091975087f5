"""Texts of any length of which no sentence comes twice."""

from __future__ import annotations

_SUBJECTS = ("ship", "harbour", "keeper", "lantern", "captain", "river", "letter", "garden", "window", "storm")
_VERBS = ("carries", "follows", "remembers", "crosses", "watches", "answers", "repairs", "measures")


def sentence(number: int) -> str:
    """Return a sentence that no other number has."""
    subject, verb = _SUBJECTS[number % len(_SUBJECTS)], _VERBS[number % len(_VERBS)]
    return f"The {subject} number {number} {verb} what nobody has seen before, and turns slowly towards the north."


def long_text(characters: int, *, first: int = 0) -> str:
    """Return sentences that have `characters` code points at most, and not many fewer."""
    sentences: list[str] = []
    while sum(len(one) + 1 for one in sentences) + len(sentence(first + len(sentences))) <= characters:
        sentences.append(sentence(first + len(sentences)))
    return " ".join(sentences)
