"""Whole numbers whose names say nothing: times, ids and quantities by their values."""

import pytest

from automtl.spec.by_values import id_by_values, time_by_values
from automtl.spec.column_info import ColumnInfo


def whole(name="x", *, low, high, median=None, num_unique=5000, num_rows=100_000, examples=None):
    return ColumnInfo(
        name=name, kind="int", num_unique=num_unique, num_null=0, num_rows=num_rows,
        minimum=low, maximum=high, median=(low + high) / 2 if median is None else median,
        examples=tuple(examples or (low, high)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (whole(low=1_650_800_000, high=1_652_000_000), "seconds since 1970, 2022-04-24 to 2022-05"),
        (whole(low=1_650_800_000_000, high=1_652_000_000_000), "milliseconds since 1970"),
        (whole(low=1_650_800_000_000_000, high=1_652_000_000_000_000), "microseconds since 1970"),
        (whole(low=20_220_425, high=20_220_508), "dates, 2022-04-25 to 2022-05-08"),
        (whole(low=20_220_425, high=20_220_508, examples=(20_220_499,)), ""),
        (whole(low=0, high=1_652_000_000), ""),
        (whole("user_id", low=1_650_800_000, high=1_652_000_000), ""),
        (whole("price", low=1_650_800_000, high=1_652_000_000), ""),
        (whole(low=-5, high=10**30), ""),
    ],
)  # fmt: skip
def test_times(column, says):
    assert time_by_values(column).startswith(says)
    assert bool(time_by_values(column)) is bool(says)


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (whole(low=5, high=2**40), "above two billion"),
        (whole(low=1, high=5500), "5,000 of the 5,500 numbers"),
        (whole(low=1, high=238_635), "spread over"),
        (whole(low=1, high=238_635, median=900), ""),  # crowded at the low end: a quantity
        (whole(low=1, high=238_635, num_rows=5100), ""),  # hardly any comes again
        (whole(low=-1, high=238_635), ""),
        (whole("play_count", low=1, high=238_635), ""),
        (whole(low=1, high=150, num_unique=150), ""),
    ],
)
def test_ids(column, says):
    assert says in id_by_values(column)
    assert bool(id_by_values(column)) is bool(says)
