"""From a finished search to scores of raw rows, for every architecture of the space."""

import importlib.util
import itertools
import re
import sys
from pathlib import Path

import polars as pl
import pytest
from sklearn.metrics import roc_auc_score
from support.shop import make_rows, write_shop

from automtl.config import FAMILIES, ModelConfig, TrainConfig, TrialConfig
from automtl.data.cache import open_data
from automtl.errors import RunError
from automtl.export.bundle import Bundle
from automtl.export.pick import pick
from automtl.export.predict import predict_file
from automtl.export.write import export_bundle
from automtl.records import NewTrial
from automtl.search.assignment import Assignment
from automtl.search.run import run_search
from automtl.search.trial import TrialJob
from automtl.spec.load import load_spec
from automtl.spec.schema import FAMILY_BLOCKS
from automtl.study_writer import create_study, writing

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "front_on_test.py"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOMTL_CACHE", str(root / "cache"))
        write_shop(root)
        yield root


@pytest.fixture(scope="module")
def study(root):
    """Every family with every dependency, trained a little, all weights kept."""
    spec = load_spec(root / "spec.yaml")
    data = open_data(spec)
    study = create_study(root / "run", spec, data)
    job = TrialJob(
        weights_dir=study.run_dir / "weights",
        cache_dir=data.directory,
        fingerprint=data.fingerprint,
        device="cpu",
        precision="fp32",
        num_threads=1,
    )
    train = TrainConfig(epochs=1.0, batch_size=256, lr=1e-2)
    with writing(study) as writer:
        for family, dependency in itertools.product(FAMILIES, ("none", "esmm")):
            own = {"num_levels": 2, "num_shared_experts": 2, "num_task_experts": 1}
            model = ModelConfig(
                family=family,
                dependency=dependency,
                embedding_dim=4,
                expert_dims=(8,),
                tower_dims=(4,),
                dropout=0.2,  # must be off when rows are scored
                **{name: own[name] for name in FAMILY_BLOCKS[family].knob_names() if name in own},
            )
            config = TrialConfig(model=model, train=train)
            is_reference = (family, dependency) == ("single_task", "none")
            record = writer.start(
                NewTrial(
                    role="reference" if is_reference else "search",
                    params={},
                    distributions={},
                    config=config,
                    seed=len(writer.trials()),
                    in_space=not is_reference,
                )
            )
            for evaluation in job.run(
                Assignment(number=record.number, config=config, seed=record.seed)
            ):
                writer.add_evaluation(record.number, evaluation)
            writer.complete(record.number)
    return study


def test_every_architecture_gives_its_validation_auc_again(study, root, tmp_path):
    """On raw rows, through files, judged by another program: to 1e-6."""
    rows = make_rows()
    valid = rows["split"] == "valid"
    clicked = valid & (rows["click"] == 1)
    for record in study.trials():
        bundle = export_bundle(study, pick(study, record.id), tmp_path / record.id)
        predict_file(bundle, root / "rows.parquet", tmp_path / "scores.parquet")
        scores = pl.read_parquet(tmp_path / "scores.parquet")
        for name, label, column, among in [
            ("click.auc", "click", "p_click", valid),
            ("buy.auc", "conversion", "p_buy", clicked),
            ("buy.joint_auc", "conversion", "p_buy_and_click", valid),
        ]:
            auc = roc_auc_score(rows[label].filter(among), scores[column].filter(among))
            where = (record.config.model.family, record.config.model.dependency, name)
            assert auc == pytest.approx(record.metrics[name], abs=1e-6), where
        error = (scores["predicted_spend"] - rows["spend"]).filter(clicked).abs().mean()
        assert error == pytest.approx(record.metrics["spend.mae"], rel=1e-5)


@pytest.mark.parametrize("how", ["best:buy", "reference"])
def test_the_exported_spec_trains_that_configuration_again(study, tmp_path, how):
    record = pick(study, how).record
    bundle = export_bundle(study, pick(study, record.id), tmp_path / "bundle")
    spec = load_spec(bundle / "config.yaml")
    again = run_search(spec, tmp_path / "again", executor="local")
    assert record.config in [trial.config for trial in again.trials()]
    assert all(trial.state == "complete" for trial in again.trials())
    Bundle.load(export_bundle(again, pick(again, "knee"), tmp_path / "second"))


# ---- the benchmark -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def benchmark():
    location = importlib.util.spec_from_file_location("front_on_test", BENCHMARK)
    module = importlib.util.module_from_spec(location)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "front_on_test", module)  # dataclasses look there
        location.loader.exec_module(module)
    return module


def test_the_benchmark_tells_every_pick_on_test_rows(study, benchmark, capsys):
    benchmark.main([str(study.run_dir), "--group", "user_id"])
    said = capsys.readouterr().out
    rows = make_rows().filter(pl.col("split") == "test")
    num_clicks, num_sold = rows["click"].sum(), rows["conversion"].sum()
    assert f"on TEST: {rows.height:,} rows" in said
    assert f"- `click.auc`, all rows: {rows.height:,}, of which {num_clicks:,} positive" in said
    assert f"- `buy.auc`, rows with click = 1: {num_clicks:,}, of which {num_sold:,}" in said
    assert f"rows drawn together by user_id, {rows['user_id'].n_unique()} groups" in said
    test_table, validation_table = re.findall(r"(?:^\|.*\n?)+", said, re.M)
    for table in (test_table, validation_table):
        for how in ("knee", "best:click", "best:buy", "reference"):
            assert len(re.findall(rf"^\| .*{how}\b", table, re.M)) == 1
    for how in ("best:click", "best:buy"):
        record = pick(study, how).record
        (line,) = [line for line in validation_table.splitlines() if how in line]
        assert f"{record.metrics['click.auc']:.4f}" in line
        assert record.id in line
    reference = test_table.splitlines()[-1]
    assert reference.startswith("| reference")
    assert reference.count("–") == 3  # no gap to itself
    assert re.search(r"\d of \d+ gaps exclude 0", said)


def test_the_benchmark_gives_the_test_metrics_of_the_bundles(study, benchmark, tmp_path):
    said = benchmark.front_on_test(study)
    assert "DeLong" in said
    manifest = Bundle.load(export_bundle(study, pick(study, "knee"), tmp_path / "knee")).manifest
    for score in manifest.test_scores:
        assert f"{score.auc.estimate:.4f} ± {score.auc.standard_error:.4f}" in said


def test_the_benchmark_needs_test_rows_and_a_reference(root, benchmark, tmp_path):
    rows = make_rows(600).with_columns(split=pl.col("split").replace("test", "train"))
    rows.write_parquet(tmp_path / "rows.parquet")
    spec = load_spec(root / "spec.yaml", overrides=["data.split={random: true, test: 0}"])
    study = create_study(tmp_path / "run", spec, open_data(spec))
    with pytest.raises(RunError, match="no test rows"):
        benchmark.front_on_test(study)
    with_test = create_study(
        tmp_path / "other", load_spec(root / "spec.yaml"), open_data(load_spec(root / "spec.yaml"))
    )
    with pytest.raises(RunError, match="no trial is on the front"):
        benchmark.front_on_test(with_test)
