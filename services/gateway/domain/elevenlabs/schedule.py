"""When a text that arrives in pieces is spoken: not word by word, for a voice needs to know what follows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

USUAL_SCHEDULE = (120, 160, 250, 290)
"""Characters that are waited for before the first, second, third, and every further part is spoken."""
SHORTEST, LONGEST = 50, 500
"""What a schedule may hold; theirs."""
PART_MAX_LENGTH = 4000
"""Of one request for speech; a longer text is spoken in several."""
_SENTENCE = re.compile(r"[.!?…。！？](?:[\"'”’)\]]{1,4})?\s")


class Buffer:
    """What has arrived of a text and is not spoken yet. Words are never split; whole sentences are preferred."""

    def __init__(self, schedule: Sequence[float] = USUAL_SCHEDULE, *, by_sentence: bool = False) -> None:
        """With `by_sentence`, every sentence is spoken as soon as it is complete."""
        self._schedule = [min(max(int(length), SHORTEST), LONGEST) for length in schedule] or list(USUAL_SCHEDULE)
        self._by_sentence = by_sentence
        self._spoken = 0
        self._text = ""

    def take(self, text: str, *, hurry: bool = False, all_of_it: bool = False) -> list[str]:
        """Take a piece of the text; return what is to be spoken now.

        `hurry` speaks as soon as there is enough for a voice to sound natural; `all_of_it` whatever there is.
        """
        self._text += text
        if all_of_it:
            end = len(self._text)
        elif self._by_sentence:
            end = self._end_of_sentences()
        elif len(self._text) >= self._wanted() or (hurry and len(self._text.strip()) >= SHORTEST):
            end = self._end_of_words()
        else:
            end = 0
        part, self._text = self._text[:end], self._text[end:]
        if not part.strip():
            self._text = "" if all_of_it else part + self._text
            return []
        self._spoken += 1
        return list(_in_parts(part))

    def _wanted(self) -> int:
        return self._schedule[min(self._spoken, len(self._schedule) - 1)]

    def _end_of_sentences(self) -> int:
        return max((found.end() for found in _SENTENCE.finditer(self._text)), default=0)

    def _end_of_words(self) -> int:
        sentences = self._end_of_sentences()
        if sentences >= SHORTEST:
            return sentences
        spaces = [at for at, character in enumerate(self._text) if character.isspace()]
        if spaces:
            return spaces[-1] + 1
        return len(self._text) if len(self._text) > PART_MAX_LENGTH else 0


def _in_parts(text: str) -> Iterator[str]:
    while len(text) > PART_MAX_LENGTH:
        space = text.rfind(" ", 0, PART_MAX_LENGTH)
        end = space + 1 if space > 0 else PART_MAX_LENGTH
        yield text[:end]
        text = text[end:]
    if text.strip():
        yield text
