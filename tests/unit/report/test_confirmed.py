"""The page of a confirmed study: which gains are real, said first and drawn with intervals."""

import dataclasses
import re

import pytest
from support.confirmed import confirmation, measure, model, versus
from support.study import make_spec, make_study

from automtl.analysis.confirmed_frame import confirmed_frame
from automtl.report.confirmed import confirmed_gains_figure
from automtl.report.page import render_report
from automtl.report.sections.confirmed import error_bars


def two(click, watched):
    return {"click.auc": (click, click + 0.01), "long_view.auc": (watched, watched + 0.01)}


def gaining(*gains):
    """TEST measures with these gains: (difference, half its interval, adjusted p)."""
    return {
        name: measure(0.7, 0.71, versus=versus(*gain), low=0.69, high=0.72, row_error=0.005)
        for name, gain in zip(("click.auc", "long_view.auc"), gains, strict=True)
    }


FOUND = confirmation(
    model(3, two(0.74, 0.66), 2e6, test=gaining((0.004, 0.003, 0.01), (0.001, 0.005, 0.8))),
    model(5, two(0.73, 0.65), 1e6, family="ple", test=gaining((-0.01, 0.02, 0.9), (0, 0.01, 1.0))),
    model(
        0, two(0.7, 0.6), is_candidate=False, is_reference=True, family="single_task",
        test={"click.auc": measure(0.7, 0.7)},
    ),
    model(
        2, two(0.71, 0.6), is_candidate=False, is_baseline=True, family="shared_bottom",
        test=gaining((0.002, 0.01, 0.9), (0.001, 0.01, 0.9)),
    ),
    dataclasses.replace(
        model(None, two(0.8, 0.7), is_candidate=False, name="gradient boosting"),
        test={
            "click.auc": dataclasses.replace(
                measure(0.8, 0.8), versus_suggested=versus(0.02, 0.01, 0.001)
            )
        },
    ),
    seeds=2,
    group="user_id",
    num_groups=812,
)  # fmt: skip


@pytest.fixture(scope="module")
def study():
    return make_study(24, spec=make_spec(trials=24), confirmation=FOUND)


def test_the_frame_has_a_row_a_model_objective_and_split(study):
    frame = confirmed_frame(study)
    assert len(frame[frame["split"] == "valid"]) == 2 * len(FOUND.models)
    assert list(dict.fromkeys(frame["kind"])) == ["candidate", "reference", "default", "outside"]
    row = frame[(frame["trial"] == "t0003") & (frame["split"] == "test")].iloc[0]
    assert (row["gain"], row["gain_low"], row["gain_high"]) == pytest.approx((0.004, 0.001, 0.007))
    assert frame["is_suggested"].sum() == 4, "one model, two objectives, two splits"
    assert frame[frame["split"] == "valid"]["gain"].isna().all(), "only test rows report"
    assert len(confirmed_frame(make_study(8))) == 0


def test_gains_have_intervals_and_only_those_told_apart_are_filled(study):
    figure = confirmed_gains_figure(confirmed_frame(study), "click.auc")
    by_label = {trace.y[0]: trace for trace in figure.data}
    assert set(by_label) == {
        next(label for label in by_label if label.startswith("t0003 mmoe")),
        next(label for label in by_label if label.startswith("t0005 ple")),
        "t0002 shared_bottom (default)",
    }
    sure = next(trace for label, trace in by_label.items() if label.startswith("t0003"))
    assert not sure.marker.symbol.endswith("-open")
    assert (sure.x[0], sure.error_x.array[0], sure.error_x.arrayminus[0]) == pytest.approx(
        (0.4, 0.3, 0.3)
    )
    luck = next(trace for label, trace in by_label.items() if label.startswith("t0005"))
    assert luck.marker.symbol.endswith("-open")


def test_the_front_shows_means_with_the_interval_of_their_seeds_on_validation_rows(study):
    bars = error_bars(study)
    assert bars["params"][3] == (2e6, 2e6, 2e6)
    assert bars["click.auc"][3] == pytest.approx((0.745, 0.745, 0.745)), "no interval was given"
    assert error_bars(make_study(8)) == {}


def test_the_page_says_first_where_trees_are_better_and_what_is_real(study):
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", render_report(study).split("<script")[0]))
    trees = page.index("Gradient boosting, a model a task and not tuned, does better")
    assert trees < page.index("Suggested:")
    assert "better on click.auc by +0.40 [+0.10, +0.70] points" in page
    assert "Each model below was trained again 2 times" in page
    assert "of 812 user_id groups" in page
    assert "Confirmed with fresh seeds" in page
    assert "Not confirmed are" in page


def test_a_study_that_was_not_confirmed_says_how_to():
    page = render_report(make_study(8))
    assert "automtl confirm" in page
    assert "Confirmed with fresh seeds" not in page


def test_names_from_data_are_harmless():
    found = dataclasses.replace(FOUND, group="<script>alert(1)</script>")
    page = render_report(make_study(24, spec=make_spec(trials=24), confirmation=found))
    assert "<script>alert(1)" not in page
