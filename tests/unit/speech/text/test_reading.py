from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from libs.speech.text.reading import NOTHING, Reading, source_times, spread


def test_an_alias_shares_its_time_among_the_characters_it_stands_for() -> None:
    origins = [0, *spread(4, 1, 3), 3]
    assert origins == [0, 1, 1, 2, 2, 3]
    starts, ends = source_times(4, origins, [0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6])
    assert starts == [0, 1, 3, 5]
    assert ends == [1, 3, 5, 6]


def test_markup_is_heard_for_no_time_where_it_stands() -> None:
    starts, ends = source_times(5, [3, NOTHING, 4], [0.5, 0.7, 1.0], [0.7, 1.0, 1.5])
    assert starts == [0, 0, 0, 0.5, 1.0]
    assert ends == [0, 0, 0, 0.7, 1.5]


def test_steps_chain() -> None:
    bare = Reading("ab", [3, 5])
    spelled = Reading("a, b", [0, NOTHING, NOTHING, 1])
    assert bare.then(spelled) == Reading("a, b", [3, NOTHING, NOTHING, 5])


@given(st.data(), st.integers(1, 30))
def test_times_of_the_source_never_run_backwards(data: st.DataObject, length: int) -> None:
    count = data.draw(st.integers(0, 40))
    origins = sorted(data.draw(st.lists(st.integers(0, length - 1), min_size=count, max_size=count)))
    edges = sorted(data.draw(st.lists(st.floats(0, 100), min_size=count + 1, max_size=count + 1)))
    starts, ends = source_times(length, origins, edges[:-1], edges[1:])
    assert len(starts) == len(ends) == length
    assert starts == sorted(starts)
    assert ends == sorted(ends)
    assert all(start <= end for start, end in zip(starts, ends, strict=True))
