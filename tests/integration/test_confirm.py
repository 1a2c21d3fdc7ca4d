"""A real small search, confirmed: the command from the first run to the exported median seed."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file
from sklearn.metrics import roc_auc_score
from support.inside import make_inside
from support.shop import write_shop

from automtl.analysis.inside import read_inside, wanted, write_inside
from automtl.cli.app import main
from automtl.confirm.run import run_confirm
from automtl.confirmed import kept_run, read_confirmation
from automtl.errors import DataError
from automtl.export.bundle import Bundle
from automtl.export.inside import look_inside
from automtl.export.pick import pick
from automtl.export.write import export_bundle
from automtl.search.run import run_search
from automtl.spec.load import load_spec
from automtl.spec.schema import ConfirmSpec
from automtl.study import Study
from automtl.study_rows import encoded_data

SETTINGS = ConfirmSpec(seeds=2, candidates=2, group="user_id")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("confirm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOMTL_CACHE", str(root / "cache"))
        study = run_search(load_spec(write_shop(root)), root / "run", executor="local")
        run_confirm(study, SETTINGS, executor="local")
        yield root


@pytest.fixture(scope="module")
def study(root):
    return Study.open(root / "run")


def test_all_selected_models_are_trained_with_every_seed(study):
    found = study.confirmation()
    assert [one.trial for one in found.models if one.is_candidate] == [
        record.number for record in study.front()
    ][:2]
    assert found.reference.trial == study.reference().number
    assert all(len(one.runs) == 2 for one in found.models)
    assert found.outside.name == "gradient boosting"
    assert found.group == "user_id"
    assert (
        found.num_groups
        == pl.read_parquet(study.run_dir.parent / "rows.parquet")
        .filter(pl.col("split") == "test")["user_id"]
        .n_unique()
    )


def test_the_test_scores_are_those_of_the_runs(study):
    data = encoded_data(study)
    labels_N = np.asarray(data.rows("test").labels_NK)[:, 0]
    for model in study.confirmation().models:
        if model.trial is None:
            continue
        for run, value in zip(model.runs, model.test["click.auc"].by_seed, strict=True):
            scores = load_file(study.run_dir / "confirm" / "scores" / f"t{run:04d}.safetensors")
            assert value == pytest.approx(roc_auc_score(labels_N, scores["click"]), abs=1e-12)


def test_only_the_weights_of_the_median_run_are_kept_and_they_are_exported(study, root, tmp_path):
    found = study.confirmation()
    kept = sorted(path.name for path in (root / "run" / "confirm" / "weights").iterdir())
    assert kept == sorted(
        f"t{one.kept:04d}.safetensors" for one in found.models if one.kept is not None
    )
    chosen = pick(study, "knee")
    model = found.model(chosen.record.number)
    assert chosen.trained.record.number == model.kept
    bundle = Bundle.load(export_bundle(study, chosen, tmp_path / "bundle"))
    assert bundle.manifest.provenance.trial == chosen.record.id
    assert bundle.manifest.provenance.seed == chosen.trained.record.seed
    rows = pl.read_parquet(root / "rows.parquet").filter(pl.col("split") == "test")
    scores = load_file(root / "run" / "confirm" / "scores" / f"t{model.kept:04d}.safetensors")
    predicted = bundle.predict(rows)[bundle.manifest.outputs[0].name].to_numpy()
    np.testing.assert_allclose(predicted, scores["click"], atol=1e-6)


def test_a_look_inside_is_at_the_weights_that_are_exported(study):
    for record in wanted(study):
        write_inside(study, record, make_inside(record.id))  # as measured before the confirmation
    assert look_inside(study) == {}
    for record in wanted(study):
        assert read_inside(study, record).run == kept_run(study.confirmation(), record.number)
    assert any(read_inside(study, record).run is not None for record in wanted(study))


def test_the_command_trains_nothing_twice_and_says_what_came_out(study, root, capsys):
    journal = root / "run" / "confirm" / "journal.log"
    before = journal.stat().st_size
    command = ["confirm", str(root / "run"), "--executor", "local", "--group", "user_id"]
    with pytest.raises(SystemExit) as end:
        main([*command, "--seeds", "2", "--candidates", "2"])
    assert end.value.code in (0, None)
    said = capsys.readouterr()
    assert journal.stat().st_size == before
    assert "runs done before" in said.err
    assert "Means of 2 fresh seeds" in said.out
    assert "gradient boosting" in said.out
    assert "next:   automtl export" in said.out
    with pytest.raises(SystemExit):
        main([*command, "--seeds", "2", "--candidates", "2", "--json"])
    assert json.loads(capsys.readouterr().out)["seeds"] == 2


def test_a_group_column_that_is_not_there_is_an_error_before_anything_is_trained(study, tmp_path):
    with pytest.raises(DataError, match="usr_id"):
        run_confirm(study, SETTINGS.model_copy(update={"group": "usr_id"}), executor="local")


def test_more_seeds_are_added_to_those_that_are_there(study, root):
    before = [one.planned for one in Study.open(root / "run" / "confirm").trials()]
    found = run_confirm(study, SETTINGS.model_copy(update={"seeds": 3}), executor="local")
    after = [one.planned for one in Study.open(root / "run" / "confirm").trials()]
    assert after[: len(before)] == before
    assert all(len(one.runs) == 3 for one in found.models)
    assert read_confirmation(root / "run") == found
