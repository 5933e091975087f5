"""100,000 chunks of 1,000 organisations of very unequal size.

The vectors are real embeddings of generated texts, each varied many times: embedding 100,000 texts would take an hour.
Each organisation speaks of a few subjects of its own, as organisations do, the largest of all.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
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
VARIED: Final = 0.45
"""The length of the noise on a vector of length 1: variants of one text are about 0.83 alike, as paraphrases are."""
TEXTS_A_SUBJECT: Final = 20
SUBJECTS_OF_ONE: Final = 3
CHUNKS_A_DOCUMENT: Final = 3
_SUBJECTS = (
    "harbour", "orchard", "chess", "astronomy", "taxes", "bicycle", "bakery", "insurance", "violin", "football",
    "glacier", "museum", "airport", "hospital", "vineyard", "railway", "beekeeping", "photography", "carpentry",
    "volcano", "theatre", "election", "satellite", "swimming", "pottery", "mortgage", "vaccine", "software",
    "lighthouse", "marathon", "library", "submarine", "perfume", "archaeology", "kindergarten", "brewery", "telescope",
    "refund", "opera", "desert",
)  # fmt: skip
_ASPECTS = (
    "The history of the {0} begins with a {1} that nobody remembers.",
    "How to repair a {1} with simple tools, explained by a master of the {0}.",
    "Prices around the {0} rose again, and the {1} became too expensive for most families.",
    "In the morning the {0} is quiet, and only the {1} can be heard.",
    "Children learn about the {0} at school, together with the {1}.",
    "A complaint was filed because the {1} near the {0} was closed without notice.",
    "Safety rules for the {0}: never touch the {1} with wet hands.",
    "She wrote a letter about the {0} and about the {1} that her father had built.",
    "The committee discussed the {0} for hours and finally voted on the {1}.",
    "Statistics show that the {0} attracts more visitors than the {1} does.",
)
_THINGS = ("ledger", "engine", "window", "garden", "letter", "bridge", "kettle", "mirror", "ladder", "lantern")


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
    texts: list[str]
    queries: NDArray[np.float32]
    """Vectors of questions, TEXTS_A_SUBJECT/4 of each subject."""
    questions: list[str]

    def nearest(self, tenant: Tenant, query: NDArray[np.float32], limit: int) -> list[tuple[int, float]]:
        """The documents nearest to `query` by comparing all, as (document, cosine), best first."""
        import numpy as np

        rows = slice(tenant.first, tenant.last)
        own = self.vectors[rows].astype(np.float32)
        kept = query.astype(np.float16).astype(np.float32)
        cosines = own @ kept / (np.linalg.norm(own, axis=1) * np.linalg.norm(kept))
        best: dict[int, float] = {}
        for row in np.argsort(-cosines)[: limit * 20]:
            best.setdefault(int(self.documents[tenant.first + int(row)]), float(cosines[row]))
            if len(best) == limit:
                break
        return list(best.items())


async def make_corpus(minilm: MiniLm) -> Corpus:
    """Make it, the same every time; takes about half a minute."""
    import numpy as np

    dice, noise = random.Random(1), np.random.default_rng(1)
    texts = [_text(dice, subject) for subject in _SUBJECTS for _ in range(TEXTS_A_SUBJECT)]
    questions = [_question(dice, subject) for subject in _SUBJECTS for _ in range(TEXTS_A_SUBJECT // 4)]
    real = await minilm.embed(texts)
    queries = await minilm.embed(questions)
    tenants: list[Tenant] = []
    chosen: list[int] = []
    for size_class, sizes in SIZES.items():
        for size in sizes:
            every = len(_SUBJECTS)
            own = tuple(range(every)) if size > 10_000 else tuple(dice.sample(range(every), SUBJECTS_OF_ONE))
            first = len(chosen)
            chosen += [dice.choice(own) * TEXTS_A_SUBJECT + dice.randrange(TEXTS_A_SUBJECT) for _ in range(size)]
            tenants.append(Tenant(UUID(int=dice.getrandbits(128), version=4), size_class, first, len(chosen), own))
    varied = noise.standard_normal((len(chosen), real.shape[1]), np.float32)
    varied *= (
        VARIED * (0.5 + noise.random((len(chosen), 1), np.float32)) / np.linalg.norm(varied, axis=1, keepdims=True)
    )
    vectors = real[chosen] + varied
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    documents = np.empty(len(chosen), np.int64)
    for tenant in tenants:
        documents[tenant.first : tenant.last] = (
            tenant.first + np.arange(tenant.last - tenant.first) // CHUNKS_A_DOCUMENT * CHUNKS_A_DOCUMENT
        )
    contents = [f"{texts[text]} Number {row}." for row, text in enumerate(chosen)]
    return Corpus(tenants, vectors.astype(np.float16), contents, documents, texts, queries, questions)


def _text(dice: random.Random, subject: str) -> str:
    """About 700 characters, as chunks of documents are."""
    aspects = dice.sample(_ASPECTS, len(_ASPECTS))
    return " ".join(aspect.format(subject, dice.choice(_THINGS)) for aspect in aspects)


def _question(dice: random.Random, subject: str) -> str:
    return dice.choice(_ASPECTS).format(subject, dice.choice(_THINGS)).rstrip(".") + "?"
