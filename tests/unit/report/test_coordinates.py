"""Parallel coordinates: every complete trial of the space is a line, better is up."""

import dataclasses

import pandas as pd
import pytest
from support.study import make_spec, make_study

from automtl.analysis.coordinates import MOST_KNOBS, coordinates_frame
from automtl.analysis.knobs import judged
from automtl.report.coordinates import ABSENT, coordinates_figure
from automtl.report.page import render_report


@pytest.fixture(scope="module")
def study():
    return make_study(30, num_pruned=3)


def axes(study, **options):
    figure = coordinates_figure(coordinates_frame(study, **options), study.objectives)
    (trace,) = figure.data
    return {axis.label: axis for axis in trace.dimensions}, trace


def test_the_frame_has_a_row_a_complete_trial_of_the_space(study):
    frame = coordinates_frame(study)
    assert frame["number"].tolist() == [record.number for record in judged(study)]
    assert list(frame.columns[2:5]) == ["click.auc", "long_view.auc", "params"]
    assert len(frame.columns) <= 5 + MOST_KNOBS


def test_the_most_important_knobs_come_first(study):
    importance = pd.DataFrame({"knob": ["lr", "dependency"], "importance": [0.9, 0.1]})
    knobs = [c for c in coordinates_frame(study, importance).columns if c.startswith("knob.")]
    assert knobs == ["knob.lr", "knob.dependency"]


def test_better_is_up_and_sizes_are_logarithmic(study):
    by_label, _ = axes(study)
    click, params = by_label["click.auc ↑"], by_label["params ↓"]
    assert click.range[0] < click.range[1]
    assert params.range[0] > params.range[1]
    frame = coordinates_frame(study)
    assert [10**value for value in params["values"]] == pytest.approx(frame["params"].tolist())


def test_a_choice_has_a_tick_an_option_and_a_knob_that_a_trial_lacks_one_of_its_own():
    study = make_study(60)
    records = [
        dataclasses.replace(r, params={k: v for k, v in r.params.items() if k != "dependency"})
        if r.number % 2
        else r
        for r in study.trials()
    ]
    study = type(study)(records, make_spec())
    by_label, _ = axes(study)
    assert ABSENT in by_label["dependency"].ticktext
    place = by_label["dependency"].ticktext.index(ABSENT)
    lacking = [record.number % 2 == 1 for record in judged(study)]
    assert [value == place for value in by_label["dependency"]["values"]] == lacking


def test_lines_have_the_colour_of_their_family(study):
    by_label, trace = axes(study)
    names = [by_label["family"].ticktext[int(code)] for code in trace.line.color]
    assert names == coordinates_frame(study)["family"].tolist()


def test_the_page_shows_them_also_with_too_few_trials_to_judge_knobs():
    assert 'id="coordinates"' in render_report(make_study(12))
    assert 'id="coordinates"' not in render_report(make_study(1))
