"""Parallel coordinates: every complete trial of the space is a line, better is up."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from support.searched import make_searched
from support.study import make_spec, make_study

from automtl.analysis.coordinates import MOST_AXES, coordinates_frame, varying_knobs
from automtl.analysis.knobs import judged
from automtl.report.coordinates import ABSENT, coordinates_figure
from automtl.report.page import render_report
from automtl.spec.schema import Spec


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
    assert list(frame.columns[5:]) == [f"knob.{name}" for name in varying_knobs(study)]


def test_the_most_important_knobs_come_first(study):
    importance = pd.DataFrame({"knob": ["lr", "dependency"], "importance": [0.9, 0.1]})
    knobs = [c for c in coordinates_frame(study, importance).columns if c.startswith("knob.")]
    assert knobs == ["knob.lr", "knob.dependency"]


def test_knobs_of_all_trials_come_before_those_of_one_family():
    plain = make_spec().to_dict()
    plain["space"] |= {
        "sharing": [
            {"family": "shared_bottom"},
            {"family": "mmoe", "num_shared_experts": {"int": [2, 8]}},
        ]
    }

    def metrics(config, rng):
        return {"click.auc": rng.random(), "long_view.auc": rng.random(), "params": 1e6}

    study = make_searched(Spec.from_dict(plain), metrics, 20)
    *of_all, last = varying_knobs(study)
    assert "lr" in of_all
    assert last == "mmoe.num_shared_experts"


def many_knobs(num_trials=40):
    """More knobs that vary than there is room for."""
    spec = make_spec()
    plain = spec.to_dict()
    names = [f"column_{index}" for index in range(12)]
    plain["data"]["categorical"] = names
    plain["space"]["embedding_dims"] = {name: {"choice": [4, 8]} for name in names}
    plain["space"]["batch_size"] = 512

    def metrics(config, rng):
        return {"click.auc": rng.random(), "long_view.auc": rng.random(), "params": 1e6}

    return make_searched(Spec.from_dict(plain), metrics, num_trials)


def test_what_does_not_vary_has_no_axis_and_no_more_have_one_than_can_be_read():
    study = many_knobs()
    by_label, _ = axes(study)
    assert len(by_label) == MOST_AXES
    assert "params ↓" not in by_label
    assert "batch_size" not in by_label


def test_the_page_says_which_knobs_have_no_axis():
    page = render_report(many_knobs(20))
    (told,) = re.findall(r'id="coordinates-told">(.*?)</p>', page, flags=re.DOTALL)
    assert re.search(r"Of 1\d knobs that vary the\s+first 7 have an\s+axis; without one:", told)
    assert "embedding_dims.column_11" in told


def test_names_of_axes_are_escaped_since_plotly_reads_tags_there_and_texts_of_ticks_are_plain():
    frame = pd.DataFrame(
        {"number": [0, 1], "family": ["mmoe", "ple"], "knob.<b>x</b>": ["<script>", "a&b"]}
    )
    (trace,) = coordinates_figure(frame, ()).data
    assert trace.dimensions[1].label == "&lt;b&gt;x&lt;/b&gt;"
    assert trace.dimensions[1].ticktext == ("<script>", "a&b")


def test_a_linear_axis_has_a_format_and_no_ticks_for_with_ticks_a_drag_would_snap(study):
    by_label, _ = axes(study)
    click = by_label["click.auc ↑"]
    assert click.tickvals is None
    values = coordinates_frame(study)["click.auc"]
    assert click.range == (values.min(), values.max())
    assert click.tickformat == ",.3f"


def knob_axis(values, **options):
    families = ["mmoe", "ple"] * (len(values) // 2)
    frame = pd.DataFrame({"number": range(len(values)), "family": families, "knob.it": values})
    return coordinates_figure(frame, (), **options).data[0].dimensions[1]


@pytest.mark.parametrize("scale", ["linear", "logarithmic"])
def test_trials_without_a_number_lie_below_all_others_at_a_tick_of_its_own(scale):
    known = np.linspace(1, 8, 9) if scale == "linear" else np.logspace(-4, -1, 9)
    axis = knob_axis([*known, float("nan")], log_knobs={"it"} if scale == "logarithmic" else ())
    *places, absent = axis["values"]
    assert places == pytest.approx(known if scale == "linear" else np.log10(known))
    assert dict(zip(axis.tickvals, axis.ticktext, strict=True))[absent] == ABSENT
    assert axis.range[0] < absent < min(places) < max(places) == axis.range[1]
    assert len(set(axis.ticktext)) == len(axis.ticktext) >= 4


def test_sizes_are_written_without_zeros_that_say_nothing():
    frame = pd.DataFrame(
        {"number": range(4), "family": ["mmoe"] * 4, "params": [9e5, 2e6, 8e6, 1.2e7]}
    )
    (axis,) = coordinates_figure(frame, make_spec().objective_list()).data[0].dimensions
    assert axis.ticktext == ("1M", "1.5M", "2M", "3M", "5M", "7M", "10M")


def test_few_numbers_have_a_tick_each_in_their_order():
    axis = knob_axis([16, 8, 64, 8])
    assert axis.ticktext == ("8", "16", "64")
    assert axis["values"] == (1, 0, 2, 0)


def test_it_can_be_reached_by_keyboard_and_says_where_the_same_can_be_had(study):
    page = render_report(study)
    assert 'tabindex="0" role="region" aria-label="trials over several axes"' in page
    assert 'aria-describedby="coordinates-told"' in page
    assert "Without a mouse:" in page


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
