"""Full training: on train and valid rows, with several seeds, killed and gone on with."""

import dataclasses
import json

import numpy as np
import polars as pl
import pytest
from safetensors.torch import load_file
from support.shop import write_shop

from automtl.data.cache import open_data
from automtl.errors import BundleError, RunError, SearchFailedError, SpecError
from automtl.export.bundle import Bundle
from automtl.export.final import check_places, export_training
from automtl.final.run import run_training
from automtl.final.seeds import fixed_config, trainings
from automtl.fusion.source import open_source
from automtl.search.run import run_search
from automtl.spec.load import load_spec
from automtl.study import Study
from automtl.terminal.train_text import training_text
from automtl.training.step import Stepper

FIXED = (
    "space.embedding_dim=4",
    "space.sharing=[{family: ple, num_levels: 2, num_shared_experts: 1, num_task_experts: 1}]",
    "space.dependency=esmm",
    "space.weighting=decay",
    "space.loss_weights={buy: 1.5}",
    "space.dropout=0.1",
)


def load_fixed(directory, *more):
    return load_spec(directory / "spec.yaml", overrides=[*FIXED, *more])


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    directory = tmp_path_factory.mktemp("shop")
    write_shop(directory)
    return directory


@pytest.fixture(scope="module")
def trained(shop):
    """Three seeds, never interrupted."""
    return run_training(load_fixed(shop), shop / "run", seeds=3)


def weights(study):
    complete = [one for one in study.trials() if one.state == "complete"]
    found = {one.seed: load_file(study.weights_path(one.number)) for one in complete}
    return {
        seed: {name: one.numpy().tobytes() for name, one in w.items()} for seed, w in found.items()
    }


# ---- what is trained -----------------------------------------------------------------------


def test_a_spec_with_free_knobs_is_refused_with_their_names(shop, tmp_path):
    with pytest.raises(SpecError) as refused:
        run_training(load_spec(shop / "spec.yaml"), tmp_path / "run", source="spec.yaml")
    said = str(refused.value)
    assert "embedding_dim" in said
    assert "ple.num_task_experts" in said
    assert "lr" not in said.split(" are free knobs")[0].split(", ")
    assert "automtl search" in said
    assert not (tmp_path / "run").exists()


def test_the_first_seed_is_the_specs_own_and_more_repeat_none(shop):
    spec = load_fixed(shop)
    config = fixed_config(spec, source="spec")
    five, three = (trainings(spec, config, seeds=seeds) for seeds in (5, 3))
    assert five[0].seed == spec.search.seed == 3
    assert five[:3] == three
    assert len({one.seed for one in five}) == 5


def test_valid_rows_are_learned_from_and_test_rows_are_not(shop):
    spec = load_fixed(shop)
    plain, full = open_data(spec), open_data(spec, trained_on="train+valid")
    assert plain.fingerprint != full.fingerprint
    assert dict(plain.num_rows) == dict(full.num_rows)
    assert len(full.rows("train")) == plain.num_rows["train"] + plain.num_rows["valid"]
    rows = pl.read_parquet(shop / "rows.parquet")
    split = rows["split"].to_numpy()
    assert set(split[full.source_rows("train")]) == {"train", "valid"}
    np.testing.assert_array_equal(full.source_rows("test"), plain.source_rows("test"))
    learned = rows.filter(pl.col("split") != "test")
    scaling = {one.name: one for one in full.encoder.scalings}["x0"]
    assert scaling.mean == pytest.approx(learned["x0"].mean(), rel=1e-5)
    spend = next(one for one in full.tasks if one.name == "spend")
    assert spend.mean == pytest.approx(learned["spend"].drop_nulls().log().mean(), rel=1e-5)


# ---- what comes of it ----------------------------------------------------------------------


def test_each_seed_is_measured_on_test_rows(trained):
    study, training = trained
    assert training.seeds == tuple(one.seed for one in study.trials())
    assert len(training.seeds) == 3
    measure = training.model.test["click.auc"]
    assert len(set(measure.by_seed)) == 3
    assert measure.low < measure.mean < measure.high
    assert training.model.kept in training.model.runs
    told = training_text(study, training)
    assert told.count("median") == 1
    assert "trained on train and valid rows" in told
    assert str(training.num_test_rows) in told


def test_the_bundle_says_what_it_was_trained_on(trained, tmp_path):
    study, training = trained
    (place,) = export_training(study, training, tmp_path / "bundle")
    bundle = Bundle.load(place)
    manifest = bundle.manifest
    assert manifest.trained_on == "train+valid"
    assert manifest.provenance.trial == study.get(training.model.kept).id
    assert manifest.measured.test["click.auc"] == pytest.approx(
        training.model.test["click.auc"].by_seed[training.model.runs.index(training.model.kept)]
    )
    card = (place / "README.md").read_text()
    assert "trained on train AND validation rows" in card
    assert "only TEST rows say" in card
    assert "automtl train config.yaml --out" in card
    assert "among several" not in card
    with pytest.raises(BundleError, match="was trained on valid rows too"):
        open_source(place)  # what to rank by is chosen on rows that a model has not seen


def test_the_exported_config_gives_the_same_weights_again(trained, tmp_path):
    study, training = trained
    places = export_training(study, training, tmp_path / "all", every=True)
    assert [one.name for one in places] == ["seed-1", "seed-2", "seed-3"]
    spec = load_spec(places[1] / "config.yaml")
    again, _ = run_training(spec, tmp_path / "again")
    seed = training.seeds[1]
    assert weights(again)[seed] == weights(study)[seed]
    first, second = ((one / "model.safetensors").read_bytes() for one in places[:2])
    assert first != second


# ---- killed --------------------------------------------------------------------------------


def kill_at(monkeypatch, step):
    """Ctrl-C at a step, counted over all seeds."""
    real, done = Stepper.step, 0

    def stepped(self, *arguments, **named):
        nonlocal done
        done += 1
        if done > step:
            raise KeyboardInterrupt
        return real(self, *arguments, **named)

    monkeypatch.setattr(Stepper, "step", stepped)


def test_an_interrupted_training_ends_with_the_same_weights(shop, trained, tmp_path, monkeypatch):
    spec, run_dir = load_fixed(shop), tmp_path / "run"
    with monkeypatch.context() as patch:
        kill_at(patch, 15)  # ten steps a seed: in the second one
        with pytest.raises(KeyboardInterrupt):
            run_training(spec, run_dir, seeds=3, checkpoint_s=0)
    (checkpoint,) = (run_dir / "checkpoints").iterdir()
    before = Study.open(run_dir).trials()
    assert [one.state for one in before] == ["complete", "running"]
    assert checkpoint.name == f"seed-{before[1].seed}.safetensors"

    with monkeypatch.context() as patch:
        kill_at(patch, 15)  # what is left is less than that
        study, training = run_training(spec, run_dir, seeds=3, checkpoint_s=0, resume=True)
    assert weights(study) == weights(trained[0])
    assert training.model.test == trained[1].model.test
    assert not list((run_dir / "checkpoints").iterdir())


def test_finished_seeds_are_not_trained_again(shop, trained, tmp_path, monkeypatch):
    spec, run_dir = load_fixed(shop), tmp_path / "run"
    run_training(spec, run_dir, seeds=1)
    with monkeypatch.context() as patch:
        kill_at(patch, 0)
        run_training(spec, run_dir, seeds=1, resume=True)
    study, training = run_training(spec, run_dir, seeds=3, resume=True)
    assert weights(study) == weights(trained[0])
    assert training.seeds == trained[1].seeds


def fail_from(monkeypatch, step):
    """No memory from a step on, counted over all seeds."""
    real, done = Stepper.step, 0

    def stepped(self, *arguments, **named):
        nonlocal done
        done += 1
        if done > step:
            raise MemoryError("none left")
        return real(self, *arguments, **named)

    monkeypatch.setattr(Stepper, "step", stepped)


def test_a_seed_that_failed_is_tried_again_once_a_resume(shop, trained, tmp_path, monkeypatch):
    spec, run_dir = load_fixed(shop), tmp_path / "run"
    with monkeypatch.context() as patch:
        fail_from(patch, 15)  # ten steps a seed: the second and the third fail
        _, training = run_training(spec, run_dir, seeds=3)
        assert training.model.num_failed == 2
    with monkeypatch.context() as patch:
        fail_from(patch, 0)
        study, training = run_training(spec, run_dir, seeds=3, resume=True)
        assert training.model.num_failed == 2
        assert [one.state for one in study.history()] == ["complete", *["failed"] * 4]
    study, training = run_training(spec, run_dir, seeds=3, resume=True)
    assert (training.seeds, training.model.num_failed) == (trained[1].seeds, 0)
    assert training.model.test == trained[1].model.test
    assert weights(study) == weights(trained[0])
    with monkeypatch.context() as patch:
        fail_from(patch, 0)  # nothing is left to be trained
        run_training(spec, run_dir, seeds=3, resume=True)
    assert len(study.history()) == 7


# ---- what is refused -----------------------------------------------------------------------


def test_nothing_is_overwritten(shop, trained, tmp_path):
    spec = load_fixed(shop)
    with pytest.raises(RunError, match="never overwritten"):
        run_training(spec, shop / "run")
    with pytest.raises(RunError, match=r"search\.epochs was 1"):
        run_training(load_fixed(shop, "search.epochs=2"), shop / "run", resume=True)
    with pytest.raises(RunError, match=r"--rows was train\+valid and is now train"):
        run_training(spec, shop / "run", resume=True, trained_on="train")
    with pytest.raises(RunError, match="no search"):
        run_search(spec, shop / "run", resume=True, executor="local")

    study, training = trained
    (place,) = export_training(study, training, tmp_path / "bundle")
    assert export_training(study, training, tmp_path / "bundle") == (place,), "it is there"
    check_places(place, seeds=3, every=False, resume=True)
    with pytest.raises(RunError, match="not empty"):
        check_places(place, seeds=3, every=False, resume=False)
    other = next(run for run in training.model.runs if run != training.model.kept)
    model = dataclasses.replace(training.model, kept=other)
    with pytest.raises(RunError, match="never overwritten: choose another --bundle"):
        export_training(study, dataclasses.replace(training, model=model), tmp_path / "bundle")


def test_no_seed_at_its_end_is_an_error_with_the_reason(shop, tmp_path):
    spec = load_fixed(shop, "space.lr=1e30")
    with pytest.raises(SearchFailedError, match=r"no seed came to its end; t0000: the loss is"):
        run_training(spec, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "study.json").read_text())["data"]["trained_on"]
