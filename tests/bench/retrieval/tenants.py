"""100,000 chunks of 1,000 organisations of very unequal size.

Embedding 100,000 texts would take an hour. A chunk here is several sentences out of thousands, and its vector the mean
of theirs, which are real: the model itself takes the mean over the words of a text. `likeness` says how near that is.
Each organisation speaks of a few subjects of its own, as organisations do, the largest of all.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.embedding.adapters import MiniLm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIZES: Final = {
    "90%": [90_000],
    "3%": [3_000],
    "1.5%": [1_500],
    "0.1%": [100] * 10,
    "a few rows": [1 + number % 8 for number in range(987)],
}
"""Chunks of each organisation, by class; together 1,000 organisations and about 100,000 chunks."""
SENTENCES_A_SUBJECT: Final = 125
SENTENCES_A_CHUNK: Final = (4, 8)
QUESTIONS_A_SUBJECT: Final = 5
SUBJECTS_OF_ONE: Final = 3
CHUNKS_A_DOCUMENT: Final = 3
_SUBJECTS = (
    "harbour", "orchard", "chess", "astronomy", "taxes", "bicycle", "bakery", "insurance", "violin", "football",
    "glacier", "museum", "airport", "hospital", "vineyard", "railway", "beekeeping", "photography", "carpentry",
    "volcano", "theatre", "election", "satellite", "swimming", "pottery", "mortgage", "vaccine", "software",
    "lighthouse", "marathon", "library", "submarine", "perfume", "archaeology", "kindergarten", "brewery", "telescope",
    "refund", "opera", "desert",
)  # fmt: skip
_SENTENCES = (
    "The history of {0} begins with {1} that nobody {2} today.",
    "How to repair {1} with simple tools, explained by a master of {0} who {2} it for decades.",
    "Prices around {0} rose again, and {1} became too expensive for whoever {2} it.",
    "In the morning {0} is quiet, and only {1} can be heard by the one who {2} there.",
    "Children learn about {0} at school, where a teacher {2} {1}.",
    "A complaint about {0} was filed because the owner {2} {1} without notice.",
    "Safety rules for {0}: never touch {1} while a colleague {2} it.",
    "She wrote a letter about {0} and about {1} that her father {2}.",
    "The committee on {0} talked for hours about who {2} {1}.",
    "Statistics of {0} show that one visitor in four {2} {1}.",
    "A new law on {0} forbids that anybody {2} {1} at night.",
    "The insurance of {0} does not pay if somebody {2} {1} carelessly.",
)
_THINGS = (
    "the old ledger", "a diesel engine", "the broken window", "a small garden", "the sealed letter", "a narrow bridge",
    "the copper kettle", "a silver mirror", "the wooden ladder", "a paper lantern", "the blue notebook", "an iron gate",
    "the north tower", "a leather bag", "the spare key", "a glass jar", "the winter coat", "a brass bell",
)  # fmt: skip
_DOES = (
    "remembers", "repairs", "forgets", "sells", "paints", "measures", "hides", "photographs", "cleans", "describes",
    "borrows", "inspects", "counts", "admires", "insures", "inherits",
)  # fmt: skip


@dataclass(frozen=True)
class Tenant:
    """An organisation, and which rows of the whole are its own, [first, last)."""

    org_id: UUID
    size_class: str
    first: int
    last: int
    subjects: tuple[int, ...]


@dataclass(frozen=True)
class Corpus:
    """All chunks: `vectors` as 16-bit numbers as they are kept, (chunks, dimensions); `subjects` of each."""

    tenants: list[Tenant]
    vectors: NDArray[np.float16]
    contents: list[str]
    documents: NDArray[np.int64]
    """Of each chunk the first of its document."""
    questions: list[str]
    """QUESTIONS_A_SUBJECT of each subject."""
    queries: NDArray[np.float32]
    likeness: float
    """The median cosine between chunks' vectors and what the model makes of their texts."""

    @cached_property
    def _directions(self) -> NDArray[np.float32]:
        """The vectors as kept, of length 1 in 32 bits."""
        import numpy as np

        wide = self.vectors.astype(np.float32)
        wide /= np.linalg.norm(wide, axis=1, keepdims=True)
        return wide

    def nearest(
        self, tenant: Tenant, query: NDArray[np.float32], limit: int, matches: Callable[[int], bool]
    ) -> list[float]:
        """The cosines of the documents nearest to `query` by comparing all rows that match, best first."""
        import numpy as np

        kept = query.astype(np.float16).astype(np.float32)
        cosines = self._directions[tenant.first : tenant.last] @ (kept / np.linalg.norm(kept))
        best: dict[int, float] = {}
        for place in np.argsort(-cosines):
            row = tenant.first + int(place)
            if matches(row):
                best.setdefault(int(self.documents[row]), float(cosines[place]))
                if len(best) == limit:
                    break
        return list(best.values())


async def make_corpus(minilm: MiniLm) -> Corpus:
    """Make it, the same every time; takes about half a minute."""
    import numpy as np

    dice = random.Random(1)
    sentences = [_sentence(dice, subject) for subject in _SUBJECTS for _ in range(SENTENCES_A_SUBJECT)]
    questions = [
        _sentence(dice, subject).rstrip(".") + "?" for subject in _SUBJECTS for _ in range(QUESTIONS_A_SUBJECT)
    ]
    real = await minilm.embed(sentences)
    tenants = _tenants(dice)
    count = tenants[-1].last
    vectors = np.empty((count, real.shape[1]), np.float16)
    documents = np.empty(count, np.int64)
    contents = []
    for tenant in tenants:
        for row in range(tenant.first, tenant.last):
            chosen = _chosen(dice, tenant)
            mean = real[chosen].mean(axis=0)
            vectors[row] = mean / np.linalg.norm(mean)
            documents[row] = row - (row - tenant.first) % CHUNKS_A_DOCUMENT
            contents.append(" ".join(sentences[number] for number in chosen) + f" Page {row}.")
    sample = dice.sample(range(count), 64)
    made = await minilm.embed([contents[row] for row in sample])
    likeness = float(np.median((made * vectors[sample]).sum(axis=1)))
    return Corpus(tenants, vectors, contents, documents, questions, await minilm.embed(questions), likeness)


def _tenants(dice: random.Random) -> list[Tenant]:
    tenants: list[Tenant] = []
    first = 0
    for size_class, sizes in SIZES.items():
        for size in sizes:
            every = len(_SUBJECTS)
            own = tuple(range(every)) if size > 10_000 else tuple(dice.sample(range(every), SUBJECTS_OF_ONE))
            org_id = UUID(int=dice.getrandbits(128), version=4)
            tenants.append(Tenant(org_id, size_class, first, first + size, own))
            first += size
    return tenants


def _chosen(dice: random.Random, tenant: Tenant) -> list[int]:
    """Which sentences make a chunk: most of one subject, some of another."""
    main, aside = dice.choice(tenant.subjects), dice.choice(tenant.subjects)
    return [
        (main if dice.random() < 0.8 else aside) * SENTENCES_A_SUBJECT + dice.randrange(SENTENCES_A_SUBJECT)
        for _ in range(dice.randint(*SENTENCES_A_CHUNK))
    ]


def _sentence(dice: random.Random, subject: str) -> str:
    return dice.choice(_SENTENCES).format(subject, dice.choice(_THINGS), dice.choice(_DOES))
