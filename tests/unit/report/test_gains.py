import dataclasses

import pytest
from support.study import make_study

from automtl.analysis.transfer import family_gains_frame, seesaw_frame, transfer_frame
from automtl.report.gains import (
    family_gains_figure,
    loss_weights_figure,
    outcome_name,
    seesaw_figure,
)


@pytest.fixture(scope="module")
def study():
    return make_study(40)


@pytest.fixture(scope="module")
def gains(study):
    return family_gains_frame(transfer_frame(study))


def test_a_family_goes_from_its_median_hollow_to_its_best_filled(gains):
    figure = family_gains_figure(gains, "click.auc")
    rows = gains[gains["objective"] == "click.auc"]
    assert len(figure.data) == len(rows)
    for trace, row in zip(figure.data, rows.itertuples(), strict=True):
        assert list(trace.x) == pytest.approx([row.median * 100, row.best * 100])
        hollow, filled = trace.marker.symbol
        assert hollow == f"{filled}-open"
        assert row.best_trial in trace.hovertext[1]


def test_gains_of_an_auc_are_told_in_points_and_others_in_their_own_unit(gains):
    assert "points" in family_gains_figure(gains, "click.auc").layout.xaxis.title.text
    renamed = gains.assign(objective="spend.mae")
    figure = family_gains_figure(renamed[:1], "spend.mae")
    assert "points" not in figure.layout.xaxis.title.text
    assert figure.data[0].x[1] == gains["best"].iloc[0]


def test_an_interval_is_drawn_where_there_is_one(gains):
    assert family_gains_figure(gains, "click.auc").data[0].error_x.array is None
    known = gains.assign(low=gains["best"] - 0.01, high=gains["best"] + 0.02)
    error = family_gains_figure(known, "click.auc").data[0].error_x
    assert list(error.array) == pytest.approx([0, 2])
    assert list(error.arrayminus) == pytest.approx([0, 1])


def test_bars_of_a_family_are_its_trials_by_outcome(study):
    frame = seesaw_frame(study, transfer_frame(study))
    figure = seesaw_figure(frame, "click.auc", "long_view.auc")
    by_family = {}
    for trace in figure.data:
        for family, share in zip(trace.y, trace.x, strict=True):
            by_family[family] = by_family.get(family, 0) + share
    assert by_family == pytest.approx(dict.fromkeys(frame["family"], 1.0))
    assert len({trace.marker.color for trace in figure.data}) == 5


def test_outcomes_are_told_by_the_names_of_the_tasks():
    told = outcome_name("first up, second down", "click.auc", "long_view.auc")
    assert told == "click up, long_view down"


def test_medians_along_a_loss_weight_are_drawn_for_families_with_enough_trials(study):
    frame = transfer_frame(study)
    frame = frame.assign(weighted="click", weight=range(1, len(frame) + 1))
    few = frame[(frame["family"] == "ple") & (frame["objective"] == "click.auc")][:7]
    many = frame[frame["objective"] == "click.auc"].assign(family="mmoe")
    lines = [
        len([t for t in loss_weights_figure(f, weighted="click", objective="click.auc").data
             if t.mode == "lines"])
        for f in (few, many)
    ]  # fmt: skip
    assert lines == [0, 1]


def test_what_stands_in_a_hover_is_escaped(study):
    records = [
        dataclasses.replace(one, params=one.params | {"loss_weights.click": 2.0})
        for one in study.trials()
    ]
    frame = transfer_frame(type(study)(records, study.spec))
    frame = frame.assign(weighted="<b>", weight=2.0, model="<i>")
    figure = loss_weights_figure(frame, weighted="<b>", objective="click.auc")
    assert "&lt;i&gt;" in figure.data[0].hovertext[0]
    assert "&lt;b&gt;" in figure.layout.xaxis.title.text


def test_the_line_of_the_reference_lies_where_a_browser_can_draw_it(gains):
    (line,) = family_gains_figure(gains, "click.auc").layout.shapes
    assert (line.x0, line.x1) == (0, 0)
    assert line.layer == "above"  # plotly.js dies of "between" where a shape spans the whole axis
