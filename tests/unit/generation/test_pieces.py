"""A piece of speech is joined only as it was kept."""

from __future__ import annotations

import hashlib

import pytest

from libs.speech.kept import KeptChunk
from services.generation.domain.pieces import PieceDamaged, whole_piece

KEPT = KeptChunk(b"\x01\x02" * 50, 50, [0.0, 0.1], [0.1, 0.2])
CONTENT = KEPT.pack()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("sha256", [SHA256, None])
@pytest.mark.parametrize("samples", [50, None])
def test_what_was_kept_is_returned(sha256: str | None, samples: int | None) -> None:
    piece = whole_piece(CONTENT, sha256=sha256, samples=samples)
    assert (piece.segment, piece.samples, list(piece.ends)) == (KEPT.segment, 50, [0.1, 0.2])


@pytest.mark.parametrize("at", range(0, len(CONTENT), 7))
def test_no_other_byte_passes_for_it(at: int) -> None:
    other = CONTENT[:at] + bytes([CONTENT[at] ^ 1]) + CONTENT[at + 1 :]
    with pytest.raises(PieceDamaged):
        whole_piece(other, sha256=SHA256, samples=50)


@pytest.mark.parametrize("content", [b"", CONTENT[:10], CONTENT[:30], b"RIFF" + bytes(100)])
def test_what_is_no_piece_is_none_though_nobody_knows_its_digest(content: bytes) -> None:
    with pytest.raises(PieceDamaged):
        whole_piece(content, sha256=None, samples=50)


def test_a_piece_of_another_length_is_another() -> None:
    with pytest.raises(PieceDamaged):
        whole_piece(CONTENT, sha256=None, samples=49)
