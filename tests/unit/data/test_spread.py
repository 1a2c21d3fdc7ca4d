"""Runs from all over something."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from automtl.data.spread import spread


def test_the_first_begins_at_the_start_and_the_last_ends_at_the_end():
    assert spread(2, of=10, num=3) == [0, 4, 8]
    assert spread(2, of=10, num=1) == [0]
    assert spread(10, of=4, num=3) == [0, 0, 0]


@given(length=st.integers(1, 50), num=st.integers(2, 300), room=st.integers(0, 10**12))
def test_runs_with_room_are_apart_and_evenly_so(length, num, room):
    of = length * num + room
    starts = spread(length, of=of, num=num)
    steps = [right - left for left, right in pairwise(starts)]
    assert starts[0] == 0
    assert starts[-1] + length == of
    assert min(steps) >= length
    assert max(steps) - min(steps) <= 1
