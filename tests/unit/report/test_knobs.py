import pandas as pd
import pytest

from automtl.config import Objective
from automtl.report.knobs import importance_figure, marginal_figure

AUC = Objective(name="click.auc", task="click", metric="auc", direction="maximize")
SIZE = Objective(name="params", task=None, metric="params", direction="minimize")


def importance(*rows):
    columns = ["objective", "knob", "condition", "num_trials", "importance", "chance"]
    return pd.DataFrame(rows, columns=columns)


def marginals(scale, values, labels, objective="click.auc"):
    return pd.DataFrame(
        {
            "objective": objective,
            "knob": "k",
            "condition": "",
            "scale": scale,
            "value": values,
            "label": labels,
            "low": 0.6,
            "median": 0.7,
            "high": 0.9,
            "num_trials": 5,
        }
    )


def test_knobs_of_all_trials_come_first_each_part_by_importance():
    frame = importance(
        ("click.auc", "a", "", 50, 0.2, 0.1),
        ("click.auc", "mmoe.n", "family = mmoe", 25, 0.9, 0.1),
        ("click.auc", "b", "", 50, 0.7, 0.1),
        ("params", "c", "", 50, 0.7, 0.1),
    )
    bars, marks = importance_figure(frame, AUC).data
    assert list(bars.y) == ["b", "a", "mmoe.n"]
    assert list(marks.y) == list(bars.y)
    assert "family = mmoe" in bars.hovertext[2]


def test_what_chance_reaches_is_grey():
    frame = importance(("click.auc", "a", "", 50, 0.2, 0.3), ("click.auc", "b", "", 50, 0.8, 0.3))
    strong, faint = importance_figure(frame, AUC).data[0].marker.color
    assert strong != faint
    assert faint.startswith("rgba")


def test_a_mark_of_chance_stays_in_the_view():
    frame = importance(("click.auc", "a", "", 50, 0.2, 3.0))
    assert importance_figure(frame, AUC).data[1].x == (1.0,)


@pytest.mark.parametrize(("objective", "upwards"), [(AUC, True), (SIZE, "reversed")])
def test_better_is_up(objective, upwards):
    frame = marginals("log", [0.001, 0.01], ["a", "b"], objective.name)
    axis = marginal_figure(frame, objective, "k").layout.yaxis
    assert axis.autorange == upwards
    assert (axis.type == "log") == (objective is SIZE)


def test_a_choice_is_marks_side_by_side_and_a_range_a_line():
    choice = marginal_figure(marginals("choice", [0, 1], ["none", "esmm"]), AUC, "k")
    assert (choice.data[0].mode, choice.data[0].x) == ("markers", ("none", "esmm"))
    line = marginal_figure(marginals("log", [1, 10, 100, 1000], list("abcd")), AUC, "k")
    assert (line.data[0].mode, line.data[0].x) == ("lines+markers", (1, 10, 100, 1000))
    assert list(line.layout.xaxis.ticktext) == ["1", "1e+02", "1e+03"]


def test_bars_hold_the_middle_half():
    error = marginal_figure(marginals("choice", [0], ["none"]), AUC, "k").data[0].error_y
    assert (error.array[0], error.arrayminus[0]) == pytest.approx((0.2, 0.1))


def test_names_of_knobs_and_options_are_escaped():
    frame = importance(("click.auc", "embedding_dims.<b>", "", 50, 0.2, 0.1))
    bars = importance_figure(frame, AUC).data[0]
    assert bars.y == ("embedding_dims.&lt;b&gt;",)
    assert "&lt;b&gt;" in bars.hovertext[0]
    figure = marginal_figure(marginals("choice", [0], ["<i>"]), AUC, "k")
    assert figure.data[0].x == ("&lt;i&gt;",)
    assert "&lt;i&gt;" in figure.data[0].hovertext[0]


def test_a_knob_without_a_row_is_an_empty_figure():
    assert len(marginal_figure(marginals("choice", [0], ["a"]), AUC, "another").data) == 0
