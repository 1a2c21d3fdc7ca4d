"""The Python face of a search: frames, figures, what a notebook shows, the winner."""

import dataclasses
import re

import pandas as pd
import plotly.graph_objects as go
import polars as pl
import pytest
from support.shop import SPEC, make_rows

import automtl
from automtl.errors import BundleError, RunError, SpecError
from automtl.public.html import study_html
from automtl.public.spec import FRAME, as_spec
from automtl.report.named import FIGURES
from automtl.spec.load import parse_document

FAST = {"search.trials": 6, "search.sampler": "random"}


@pytest.fixture(scope="module")
def plain():
    """The shop's spec as a dictionary that names no file."""
    raw = parse_document(SPEC, "spec.yaml").raw
    return raw | {"data": {k: v for k, v in raw["data"].items() if k != "path"}}


@pytest.fixture(scope="module")
def frame():
    return make_rows()


@pytest.fixture(scope="module")
def study(plain, frame, tmp_path_factory):
    out = tmp_path_factory.mktemp("frame") / "run"
    return automtl.search(plain, data=frame, out=out, executor="local", overrides=FAST, quiet=True)


# ---- a spec --------------------------------------------------------------------------------


def test_a_spec_may_be_a_path_a_dictionary_or_loaded(plain, tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "rows.parquet").touch()
    by_path = as_spec(tmp_path / "spec.yaml", overrides=FAST)
    loaded = as_spec(by_path, overrides={"search.seed": 7})
    assert (by_path.search.trials, loaded.search.seed, loaded.search.trials) == (6, 7, 6)
    framed = as_spec(plain, overrides=FAST, has_frame=True)
    assert framed.data.path == FRAME
    with pytest.raises(SpecError, match=r"data\.path: is missing"):
        as_spec(plain)
    with pytest.raises(SpecError, match="did you mean trials"):
        as_spec(plain, overrides={"search.trails": 3}, has_frame=True)


# ---- a study -------------------------------------------------------------------------------


def test_trials_and_front_are_pandas_frames(study):
    trials, front = study.trials(), study.front()
    assert isinstance(trials, pd.DataFrame)
    assert len(trials) == 6
    assert front["on_front"].all()
    assert front["is_knee"].sum() == 1
    assert list(front["click.auc"]) == sorted(front["click.auc"], reverse=True)
    assert set(front["trial"]) == set(trials.loc[trials["on_front"], "trial"])


def test_a_study_is_loaded_from_its_directory(study):
    again = automtl.Study.load(study.run_dir)
    pd.testing.assert_frame_equal(again.trials(), study.trials())
    assert repr(again) == repr(study)
    assert "6 of 6 trials" in repr(study)
    with pytest.raises(RunError, match="no such run"):
        automtl.Study.load(study.run_dir / "nowhere")


@pytest.mark.parametrize("name", ["front", "hypervolume", "curves", "gains", "seesaw"])
def test_every_figure_is_one_of_plotly(study, name):
    figure = study.figure(name)
    assert isinstance(figure, go.Figure)
    assert figure.data


def test_one_of_several_figures_is_asked_for_by_what_it_is_of(study):
    click, buy = (study.figure("curves", of=name) for name in ("click.auc", "buy.auc"))
    assert click.data != buy.data
    assert study.figure("curves") == click, "the first if nothing is said"
    with pytest.raises(RunError, match=r"none is of 'params'; there are: click\.auc; buy\.auc"):
        study.figure("curves", of="params")


def test_a_figure_that_there_is_not_names_those_that_are(study):
    with pytest.raises(RunError, match="did you mean curves") as refused:
        study.figure("curve")
    assert all(name in str(refused.value) for name in FIGURES)
    with pytest.raises(RunError, match="nothing to draw as 'confirmed' yet"):
        study.figure("confirmed")


def test_the_names_are_those_of_the_pages_figures():
    """Whoever adds a figure to the page names it here."""
    assert set(automtl.Study.figures) == {
        *("front", "hypervolume", "confirmed", "gains", "seesaw", "weights", "rungs"),
        *("importance", "marginal", "coordinates", "gates", "reliability", "curves"),
    }


def test_the_notebook_shows_a_small_table_and_the_page(study):
    shown = study._repr_html_()
    assert "<script" not in shown
    assert "suggested" in shown
    assert "report.html" not in shown, "there is no page yet"
    page = study.report()
    assert f'href="{page.as_uri()}"' in study._repr_html_()
    assert len(shown) < 5000


def test_what_people_wrote_is_escaped(study):
    on_disk = study._study
    nasty = "<img src=x onerror=alert(1)>"

    class Nasty:
        def __getattr__(self, name):
            return getattr(on_disk, name)

        def summary(self):
            return on_disk.summary() | {"name": nasty}

        def front(self):
            return tuple(
                dataclasses.replace(one, state=one.state, reason=nasty) for one in on_disk.front()
            )

    assert nasty not in study_html(Nasty())
    assert "&lt;img" in study_html(Nasty())


@pytest.mark.parametrize("executor", ["dask", "Ray"])
def test_an_executor_that_there_is_not_is_refused_first(study, plain, frame, tmp_path, executor):
    out = tmp_path / "run"
    for call in (
        lambda: automtl.search(plain, data=frame, out=out, executor=executor),
        lambda: automtl.train(plain, data=frame, out=out, executor=executor),
        lambda: study.confirm(executor=executor),
    ):
        with pytest.raises(
            RunError, match=rf"executor: '{executor}' .* write one of ray, processes"
        ):
            call()
    assert not out.exists()


def test_an_address_is_for_ray_alone(plain, frame, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(RunError, match="--address auto: only Ray reaches a cluster; write"):
        automtl.search(plain, data=frame, out=out, executor="processes", address="auto")
    assert not out.exists()


# ---- its winner ----------------------------------------------------------------------------


def test_export_gives_the_bundle_that_load_gives(study, frame, tmp_path):
    bundle = study.export(pick="knee", to=tmp_path / "knee")
    assert isinstance(bundle, automtl.Bundle)
    assert re.fullmatch(
        r"<automtl.Bundle \w+ t\d{4}: \w+, [\d,]+ parameters, for click, buy, spend; in .*/knee>",
        repr(bundle),
    )
    scores = automtl.load(tmp_path / "knee").predict(frame)
    assert automtl.load(tmp_path / "knee", engine="torch").engine.name == "torch"
    with pytest.raises(BundleError, match="no ONNX graph"):
        automtl.load(tmp_path / "knee", engine="onnx")
    assert scores.height == frame.height
    assert scores.equals(bundle.predict(frame))
    with pytest.raises(RunError, match="choices: knee"):
        study.export(pick="best", to=tmp_path / "other")


def test_a_winner_is_trained_for_use(study, frame, tmp_path):
    study.export(pick="knee", to=tmp_path / "knee")
    bundle = automtl.train(
        tmp_path / "knee" / "config.yaml",
        data=frame,
        out=tmp_path / "trained",
        quiet=True,
    )
    assert bundle.manifest.trained_on == "train+valid"
    assert bundle.manifest.num_rows["train"] == frame.filter(pl.col("split") != "test").height


def test_a_frame_is_confirmed_with_the_frame(study, frame):
    """Groups are read from the rows themselves, which only the frame has."""
    found = study.confirm(
        seeds=2, candidates=1, group="user_id", data=frame, executor="local", quiet=True
    )
    assert {"trial", "objective", "split", "mean"} <= set(found.columns)
    assert study.figure("confirmed").data
    with pytest.raises(automtl.errors.DataError, match=FRAME):
        study.confirm(seeds=2, candidates=1, group="user_id", executor="local", quiet=True)
