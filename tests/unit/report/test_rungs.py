from support.study import make_study

from automtl.analysis.families import rungs_frame
from automtl.report.rungs import rungs_figure


def test_every_trial_is_in_the_bar_of_its_family_where_it_ended():
    study = make_study(20, num_failed=2, num_pruned=5)
    figure = rungs_figure(rungs_frame(study))
    counted = {trace.name: sum(trace.x) for trace in figure.data}
    assert counted == {"stopped after 0.111 epochs": 5, "trained to the end": 20, "failed": 2}
    assert [trace.name for trace in figure.data] == list(counted)


def test_places_have_colours_of_their_own():
    figure = rungs_figure(rungs_frame(make_study(20, num_failed=2, num_pruned=5)))
    assert len({trace.marker.color for trace in figure.data}) == 3
