import pytest
from scipy import stats

from automtl.analysis.interval import Interval, student_interval, two_sided_p


@pytest.mark.parametrize("degrees", [1, 2.5, 30, 1e7])
def test_an_interval_and_its_test_are_students(degrees: float) -> None:
    found = student_interval(1.0, standard_error=0.5, degrees=degrees, level=0.9)
    expected = stats.t.interval(0.9, degrees, loc=1.0, scale=0.5)
    assert (found.low, found.high) == pytest.approx(expected)
    assert (found.estimate, found.standard_error) == (1.0, 0.5)
    p_value = two_sided_p(1.0, standard_error=0.5, degrees=degrees)
    assert p_value == pytest.approx(2 * stats.t.sf(2.0, degrees))
    assert two_sided_p(-1.0, standard_error=0.5, degrees=degrees) == p_value


def test_without_error_only_0_is_0() -> None:
    assert two_sided_p(0.0, standard_error=0.0, degrees=3) == 1.0
    assert two_sided_p(1e-9, standard_error=0.0, degrees=3) == 0.0


def test_bounds_belong_to_an_interval() -> None:
    interval = Interval(estimate=1.0, low=0.0, high=2.0, standard_error=0.5)
    assert [interval.excludes(value) for value in (-0.1, 0.0, 2.0, 2.1)] == [
        True,
        False,
        False,
        True,
    ]
