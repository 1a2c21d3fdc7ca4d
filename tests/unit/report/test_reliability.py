import pytest
from support.inside import make_inside

from automtl.analysis.inside import calibration_frame
from automtl.report.reliability import reliability_figure

ROLES = {"t0001": "suggested", "t0002": "reference"}


@pytest.fixture(scope="module")
def frame():
    return calibration_frame([make_inside("t0001"), make_inside("t0002"), make_inside("t0003")])


def test_there_is_a_curve_a_trial_with_the_intervals_of_its_bins(frame):
    agree, first, second = reliability_figure(frame, "click", roles=ROLES).data
    assert (first.name, second.name) == ("t0001 suggested", "t0002 reference")
    own = frame[(frame["trial"] == "t0001") & (frame["output"] == "click")]
    assert list(first.x) == own["predicted"].tolist()
    assert list(first.y) == own["observed"].tolist()
    assert [y + up for y, up in zip(first.y, first.error_y.array, strict=True)] == pytest.approx(
        own["high"].tolist()
    )
    assert agree.x == agree.y


def test_curves_differ_in_colour_and_in_mark(frame):
    _, first, second = reliability_figure(frame, "click", roles=ROLES).data
    assert first.marker.color != second.marker.color
    assert first.marker.symbol != second.marker.symbol


def test_an_output_that_nobody_has_is_an_empty_figure(frame):
    assert len(reliability_figure(frame, "like", roles=ROLES).data) == 0
