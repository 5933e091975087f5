"""Plain English of any length whose sentences are all different, so that none is there already."""

from __future__ import annotations

import random
from uuid import uuid4

_WHO = ("The keeper", "An old sailor", "My neighbour", "Her sister", "The captain", "Every child", "A quiet teacher")
_DOES = ("counted", "painted", "forgot", "followed", "remembered", "described", "admired")
_WHAT = ("the ships", "a green door", "seven lanterns", "the winter garden", "her father's letters", "a narrow road")
_WHEN = ("before the storm", "in early spring", "after the long war", "while the others slept", "again and again")


def prose(characters: int) -> str:
    """Return that many characters, in sentences of about sixty, ending with a full stop; another text every time."""
    dice = random.Random(uuid4().int)
    sentences: list[str] = []
    left = characters
    while left > 0:
        named = "".join(dice.choices("aeioulmnrst", k=7)).capitalize()
        middle = f"{dice.choice(_DOES)} {dice.choice(_WHAT)} {dice.choice(_WHEN)}"
        sentence = f"{dice.choice(_WHO)} {named} {middle}. "
        sentences.append(sentence)
        left -= len(sentence)
    return "".join(sentences)[: characters - 1].rstrip(" .").ljust(characters - 1, "e") + "."
