from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.speech.kept import KeptChunk, NotKept, pack_times, unpack, unpack_times

TIMES = st.lists(st.floats(0, 1e6), max_size=50)


@given(TIMES, st.binary(max_size=200), st.integers(0, 2**40))
def test_what_was_kept_comes_back(times: list[float], segment: bytes, samples: int) -> None:
    kept = unpack(KeptChunk(segment, samples, times, times[::-1]).pack())
    assert (kept.segment, kept.samples) == (segment, samples)
    assert list(kept.starts) == times
    assert list(kept.ends) == times[::-1]


@given(TIMES)
def test_times_alone_come_back(times: list[float]) -> None:
    starts, ends = unpack_times(pack_times(times, times))
    assert list(starts) == list(ends) == times


@pytest.mark.parametrize("length", [0, 3, 15, 16, 40, 47])
def test_what_is_cut_off_is_no_chunk(length: int) -> None:
    whole = KeptChunk(b"", 1, [0.0, 1.0], [1.0, 2.0]).pack()
    with pytest.raises(NotKept):
        unpack(whole[:length])


def test_other_bytes_are_no_chunk() -> None:
    with pytest.raises(NotKept):
        unpack(b"RIFF" + bytes(60))


def test_the_size_grows_with_what_is_kept() -> None:
    sizes = [len(KeptChunk(b"x" * size, 1, [0.0] * size, [0.0] * size).pack()) for size in (0, 1, 2)]
    assert [later - earlier for earlier, later in pairwise(sizes)] == [17, 17]
