from support.study import make_study

from automtl.analysis.frames import evaluations_frame, trials_frame
from automtl.report.curves import curves_figure


def draw(study, objective=0):
    return curves_figure(trials_frame(study), evaluations_frame(study), study.objectives[objective])


def test_every_trial_that_was_evaluated_is_a_line():
    study = make_study(20, num_failed=1, num_pruned=4)
    figure = draw(study)
    drawn = {number for trace in figure.data for number in trace.customdata}
    assert drawn == {r.number for r in study.trials() if r.state in ("complete", "pruned")}
    strong = {
        number for trace in figure.data if trace.opacity == 1.0 for number in trace.customdata
    }
    assert strong == {record.number for record in study.front()}


def test_a_stopped_trial_ends_in_a_cross_and_its_hover_says_why():
    study = make_study(20, num_pruned=4)
    stopped = {record.number for record in study.trials() if record.state == "pruned"}
    crosses, hovers = set(), []
    for trace in draw(study).data:
        for symbol, number, hover in zip(
            trace.marker.symbol, trace.customdata, trace.hovertext, strict=True
        ):
            if symbol == "x-thin-open":
                crosses.add(number)
                hovers.append(hover)
    assert crosses == stopped
    assert all("stopped after 0.111 epochs: rank 7 of 12" in hover for hover in hovers)


def test_lines_of_two_trials_are_not_connected():
    study = make_study(20)
    for trace in draw(study).data:
        assert trace.y.count(None) == len(set(trace.customdata))
        assert len(trace.x) == len(trace.customdata) == len(trace.marker.symbol)


def test_a_study_without_an_evaluation_is_an_empty_figure():
    assert len(draw(make_study(0)).data) == 0
