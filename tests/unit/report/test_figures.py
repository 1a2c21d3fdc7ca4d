import json

import pytest
from support.study import make_spec, make_study

from automtl.analysis.frames import hypervolume_frame, trials_frame
from automtl.report.figures import axis, front_figure, hypervolume_figure, plotly_js, to_plain


def draw(study, x=0, y=1):
    frame = trials_frame(study)
    return front_figure(frame, study.objectives, x=study.objectives[x], y=study.objectives[y])


def parts(figure, part):
    return [trace for trace in figure.data if (trace.meta or {}).get("part") == part]


def numbers(figure, part):
    return {number for trace in parts(figure, part) for number in trace.customdata}


def test_every_complete_trial_is_drawn_once_front_members_apart():
    study = make_study(30, num_failed=2)
    figure = draw(study)
    front, reference = {r.number for r in study.front()}, study.reference().number
    assert numbers(figure, "front") == front
    assert numbers(figure, "dominated") == set(range(30)) - front - {reference}
    assert numbers(figure, "reference") == {reference}
    assert numbers(figure, "knee") == {study.knee().number}


def test_better_is_up_and_right_and_costs_are_logarithmic():
    study = make_study(30)
    done = trials_frame(study).query("state == 'complete'")
    auc, _, params = study.objectives
    low, high = axis(auc, done)["range"]
    assert low < high
    assert "higher is better" in axis(auc, done)["title"]["text"]
    low, high = axis(params, done)["range"]
    assert low > high
    assert axis(params, done)["type"] == "log"
    assert "lower is better" in axis(params, done)["title"]["text"]


def test_the_view_leaves_out_what_is_far_worse_but_nothing_good_or_marked():
    study = make_study(30)
    auc, _, params = study.objectives
    frame = trials_frame(study).query("state == 'complete'").reset_index()
    plain = frame.index[~frame["is_knee"] & ~frame["is_reference"]]
    frame.loc[plain[:2], "click.auc"] = [0.3, 0.99]
    frame.loc[plain[:2], "params"] = [1e12, 1e2]
    low, high = axis(auc, frame)["range"]
    assert (low > 0.5, high > 0.99) == (True, True)
    worst, best = axis(params, frame)["range"]
    assert (worst < 9, best < 2) == (True, True)
    frame.loc[frame["is_knee"], "click.auc"] = 0.31
    assert axis(auc, frame)["range"][0] < 0.31


@pytest.mark.parametrize(
    ("objectives", "num_lines"),
    [(["click.auc", "long_view.auc"], 1), (["click.auc", "long_view.auc", "params"], 0)],
)
def test_only_a_front_of_two_objectives_is_a_line(objectives, num_lines):
    figure = draw(make_study(30, spec=make_spec(objectives=objectives)))
    assert len(parts(figure, "line")) == num_lines


def test_the_line_is_a_staircase_from_left_to_right():
    figure = draw(make_study(30, spec=make_spec(objectives=["click.auc", "long_view.auc"])))
    (line,) = parts(figure, "line")
    assert list(line.x) == sorted(line.x)
    assert list(line.y) == sorted(line.y, reverse=True)
    assert line.line.shape == "vh"


def test_families_have_markers_of_their_own_and_esmm_a_dot():
    study = make_study(30)
    figure = draw(study)
    legend = parts(figure, "legend")
    assert len({trace.marker.symbol for trace in legend}) == len(legend) >= 6
    assert len({trace.marker.color for trace in legend}) == len(legend)
    models = {record.number: record.config.model for record in study.trials()}
    for trace in parts(figure, "front") + parts(figure, "dominated"):
        for number, symbol in zip(trace.customdata, trace.marker.symbol, strict=True):
            assert symbol.endswith("-dot") == (models[number].dependency == "esmm")
            is_default = 0 < number < 7
            assert ("-open" in symbol) == is_default


def test_the_hover_tells_the_configuration():
    (knee,) = parts(draw(make_study(20)), "knee")
    (hover,) = knee.hovertext
    assert "lr  0.0" in hover
    assert "click.auc ↑  <b>0.7" in hover


def test_the_hover_is_escaped():
    study = make_study(20)
    frame = trials_frame(study).assign(model="<i>", **{"knob.<b>": "<script>"})
    x, y = study.objectives[:2]
    drawn = json.dumps(to_plain(front_figure(frame, study.objectives, x=x, y=y)))
    assert "&lt;i&gt;" in drawn
    assert "&lt;b&gt;  &lt;script&gt;" in drawn
    assert not any(tag in drawn for tag in ("<i>", "<script", "knob."))


def test_nothing_complete_draws_nothing():
    assert len(draw(make_study(0, num_failed=2)).data) == 0
    assert len(hypervolume_figure(hypervolume_frame(make_study(0))).data) == 0


def test_the_hypervolume_is_a_share_of_the_last():
    line, dots = hypervolume_figure(hypervolume_frame(make_study(30))).data
    assert line.y[-1] == 1
    assert len(dots.x) < len(line.x)


def test_plotly_can_stand_in_a_script_element():
    assert "</script" not in plotly_js()
