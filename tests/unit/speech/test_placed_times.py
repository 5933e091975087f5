"""Where the times of a chunk lie in the file that it becomes part of."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from libs.speech.encoding.formats import SAMPLE_RATES
from libs.speech.kept import placed

SEGMENTS = st.lists(st.integers(1, 3_000_000), min_size=1, max_size=40)


@given(SEGMENTS, st.sampled_from(SAMPLE_RATES))
def test_what_is_heard_to_the_end_of_each_chunk_ends_with_the_file(segments: list[int], rate: int) -> None:
    times: list[float] = []
    before = 0
    for samples in segments:
        times += placed([0.0, samples / rate / 3, samples / rate], before, samples, rate)
        before += samples
    assert times[-1] <= before / rate
    assert all(earlier <= later for earlier, later in pairwise(times))


def test_a_sum_that_is_rounded_up_is_cut() -> None:
    before, samples, rate = next(
        (before, samples, rate)
        for rate in SAMPLE_RATES
        for before in range(1, 2_000)
        for samples in range(1, 50)
        if before / rate + samples / rate > (before + samples) / rate
    )
    assert placed([samples / rate], before, samples, rate) == [(before + samples) / rate]
