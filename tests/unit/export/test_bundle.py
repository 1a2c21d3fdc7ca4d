"""A bundle gives the trial's own numbers again, is written whole, and is not trusted blindly."""

import dataclasses
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal
from safetensors.torch import load_file, save_file
from sklearn.metrics import roc_auc_score

from automtl.config import from_jsonable
from automtl.data.cache import DONE
from automtl.errors import BundleError, RunError
from automtl.export.bundle import Bundle
from automtl.export.manifest import Manifest, checksums, output_columns
from automtl.export.pick import pick
from automtl.export.write import export_bundle
from automtl.space import sample
from automtl.spec.load import load_spec
from automtl.study import Study
from automtl.training.metrics import evaluate


def no_free_knobs(name, domain):
    raise AssertionError(f"{name} is free")


@pytest.fixture
def moved(run_dir, tmp_path):
    """A copy of the run whose files a test may spoil."""
    shutil.copytree(run_dir, tmp_path / "run")
    return Study.open(tmp_path / "run")


@pytest.fixture
def copied(bundle_dir, tmp_path):
    """A copy of the bundle that a test may spoil."""
    return Path(shutil.copytree(bundle_dir, tmp_path / "bundle"))


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def change(directory, seal=True, **changes):
    """Writes other values into bundle.json; with `seal` all checksums fit the files again."""
    plain = json.loads((directory / "bundle.json").read_text())
    plain |= changes
    if seal:
        plain["checksums"] = checksums(directory)
    (directory / "bundle.json").write_text(json.dumps(plain))


# ---- the trial's own numbers ---------------------------------------------------------------


def test_it_reproduces_the_validation_metrics_of_its_trial(study, bundle, rows):
    valid = rows.filter(pl.col("split") == "valid")
    record = study.get(int(bundle.manifest.measured.trial[1:]))
    frame = bundle.predict(valid)
    predictions = {one.prediction: frame[one.name].to_numpy() for one in bundle.manifest.outputs}
    metrics = evaluate(predictions, bundle.encoder.labels(valid), bundle.tasks)
    assert metrics == pytest.approx({name: record.metrics[name] for name in metrics}, abs=1e-6)
    assert roc_auc_score(valid["click"], frame["p_click"]) == pytest.approx(
        record.values["click.auc"], abs=1e-6
    )


def test_its_weights_and_configuration_are_those_of_the_trial(study, bundle):
    record = pick(study, "knee").record
    weights = study.weights_path(record.number)
    assert (bundle.directory / "model.safetensors").read_bytes() == weights.read_bytes()
    assert bundle.manifest.config == record.config
    validation = bundle.manifest.measured.validation
    assert validation == {name: record.metrics[name] for name in validation}
    assert set(bundle.manifest.costs) == {"params", "params.embedding", "params.dense", "flops"}


def test_test_metrics_are_those_of_the_test_rows(bundle, rows):
    test = rows.filter(pl.col("split") == "test")
    frame = bundle.predict(test)
    expected = roc_auc_score(test["click"], frame["p_click"])
    assert bundle.manifest.measured.test["click.auc"] == pytest.approx(expected, abs=1e-6)
    (click,) = [one for one in bundle.manifest.test_scores if one.name == "click.auc"]
    assert click.auc.estimate == pytest.approx(expected, abs=1e-6)
    assert (click.num_rows, click.num_positives) == (test.height, test["click"].sum())
    reference = bundle.manifest.reference.test["click.auc"]
    assert click.gap.estimate == pytest.approx(expected - reference, abs=1e-6)


def test_the_reference_has_no_gap_to_itself(study, tmp_path):
    manifest = Bundle.load(
        export_bundle(study, pick(study, "reference"), tmp_path / "out")
    ).manifest
    assert manifest.measured == manifest.reference
    assert all(one.gap is None for one in manifest.test_scores)


def test_config_yaml_is_a_spec_of_exactly_this_trial(study, bundle_dir, monkeypatch):
    monkeypatch.chdir("/")  # it runs from anywhere
    spec = load_spec(bundle_dir / "config.yaml")
    assert sample(spec, no_free_knobs) == pick(study, "knee").record.config
    assert spec.data_files() == study.spec.data_files()
    assert spec.tasks == study.spec.tasks


def test_the_manifest_is_json_and_reads_back(bundle):
    plain = json.loads((bundle.directory / "bundle.json").read_text())
    assert from_jsonable(Manifest, plain) == bundle.manifest
    assert set(plain["checksums"]) == {
        "config.yaml",
        "model.safetensors",
        "encoder/encoder.json",
        "encoder/vocabularies.parquet",
    }


# ---- scoring -------------------------------------------------------------------------------


def test_columns_say_what_they_are(bundle, rows):
    frame = bundle.predict(rows)
    assert dict(frame.schema) == dict.fromkeys(
        ["p_click", "p_buy", "p_buy_and_click", "predicted_spend"], pl.Float32
    )
    assert frame.height == rows.height
    product = frame["p_click"] * frame["p_buy"]
    np.testing.assert_allclose(frame["p_buy_and_click"], product, rtol=1e-5)
    meanings = {one.name: one.meaning for one in bundle.manifest.outputs}
    assert meanings["p_buy"] == "P(buy | click)"
    assert meanings["p_buy_and_click"] == "P(buy, click)"


def test_a_chain_of_conditions_is_named_whole(bundle):
    click, buy, _ = bundle.tasks
    returned = dataclasses.replace(buy, name="returned", given="buy")
    columns = [one.name for one in output_columns((returned, buy, click))]
    assert columns[:2] == ["p_returned", "p_returned_and_buy_and_click"]


def test_predictions_keep_the_order_of_the_rows(bundle, rows):
    order = np.random.default_rng(1).permutation(rows.height)
    shuffled = bundle.predict(rows[order])
    assert_frame_equal(shuffled, bundle.predict(rows)[order], abs_tol=1e-6)


def test_only_feature_columns_are_needed(bundle, rows):
    needed = rows.select(["history", "x1", "x0", "context", "item_id", "user_id"])
    assert_frame_equal(bundle.predict(needed), bundle.predict(rows))


def test_unseen_and_missing_values_are_scored(bundle, rows):
    strange = rows.head(2).with_columns(
        user_id=pl.Series([None, 10**9]), context=pl.Series(["?", None]), x0=pl.lit(None)
    )
    assert bundle.predict(strange).null_count().row(0) == (0, 0, 0, 0)


def test_no_rows_give_no_predictions(bundle, rows):
    assert bundle.predict(rows.clear()).shape == (0, 4)


def test_missing_columns_are_all_named(bundle, rows):
    with pytest.raises(BundleError, match=r"rows to score: no columns 'user_id'.*'history'"):
        bundle.predict(rows.drop("user_id", "history"))


# ---- written whole or not at all -----------------------------------------------------------


def test_it_makes_parents_and_fills_an_empty_directory(study, tmp_path):
    target = tmp_path / "a" / "b"
    assert export_bundle(study, pick(study, "knee"), target) == target
    empty = tmp_path / "empty"
    empty.mkdir()
    export_bundle(study, pick(study, "knee"), empty)
    Bundle.load(empty)
    assert names(tmp_path) == ["a", "empty"]  # nothing is left aside


def test_what_is_there_is_never_overwritten(study, tmp_path):
    filled = tmp_path / "filled"
    filled.mkdir()
    (filled / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="not empty and is never overwritten"):
        export_bundle(study, pick(study, "knee"), filled)
    with pytest.raises(RunError, match="this is a file"):
        export_bundle(study, pick(study, "knee"), filled / "mine.txt")
    with pytest.raises(RunError, match="cannot write in"):
        export_bundle(study, pick(study, "knee"), filled / "mine.txt" / "below")
    assert names(tmp_path) == ["filled"]


def test_a_failure_midway_leaves_nothing(study, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("automtl.export.write.write_manifest", full)
    with pytest.raises(RunError, match=r"cannot write the bundle .No space left on device"):
        export_bundle(study, pick(study, "knee"), tmp_path / "new" / "out")
    assert not list((tmp_path / "new").iterdir())


def test_a_trial_without_weights_cannot_be_exported(moved, tmp_path):
    chosen = pick(moved, "knee")
    moved.weights_path(chosen.record.number).unlink()
    kept = [record.id for record in moved.trials() if record.has_weights]
    with pytest.raises(RunError, match=f"{chosen.record.id} has no weights .*{kept[0]}"):
        export_bundle(moved, chosen, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_of_another_trial_are_not_exported(moved, tmp_path):
    chosen = pick(moved, "knee")
    path = moved.weights_path(chosen.record.number)
    save_file({name: 0.1 * tensor for name, tensor in load_file(path).items()}, path)
    with pytest.raises(RunError, match="on validation rows, the trial had"):
        export_bundle(moved, chosen, tmp_path / "out")
    save_file({"one": torch.zeros(100_000)}, path)
    with pytest.raises(RunError, match=r"cannot be exported: .*not the weights of the model"):
        export_bundle(moved, chosen, tmp_path / "out")


def test_a_reference_without_weights_leaves_its_test_metrics_out(moved, tmp_path):
    reference, knee = moved.reference(), pick(moved, "knee")
    moved.weights_path(reference.number).unlink()
    manifest = Bundle.load(export_bundle(moved, knee, tmp_path / "out")).manifest
    assert manifest.reference.test is None
    assert manifest.reference.validation["click.auc"] == reference.metrics["click.auc"]
    assert all(one.gap is None for one in manifest.test_scores)
    assert "Its weights are gone" in (tmp_path / "out" / "README.md").read_text()


def test_without_the_cache_the_rows_are_encoded_again(moved, tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "cache"))
    moved.meta["data"]["cache"] = str(tmp_path / "gone")
    told = []
    place = export_bundle(
        moved, pick(moved, "knee"), tmp_path / "out", report=lambda step, *_: told.append(step)
    )
    Bundle.load(place)
    assert told[-1] == DONE


def test_without_the_cache_changed_files_are_an_error(moved, tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "cache"))
    moved.meta["data"] |= {"cache": str(tmp_path / "gone"), "fingerprint": "another"}
    with pytest.raises(RunError, match="its data files changed since the search"):
        export_bundle(moved, pick(moved, "knee"), tmp_path / "out")
    moved.meta["spec"]["data"]["path"] = str(tmp_path / "lost.parquet")
    moved.__dict__.pop("spec", None)
    with pytest.raises(RunError, match=r"cannot be encoded again: .*lost.parquet"):
        export_bundle(moved, pick(moved, "knee"), tmp_path / "out")


# ---- not trusted ---------------------------------------------------------------------------


def test_what_is_no_bundle_is_refused(tmp_path, copied):
    with pytest.raises(BundleError, match=r"not an exported model, it has no bundle.json"):
        Bundle.load(tmp_path)
    with pytest.raises(BundleError, match="not an exported model"):
        Bundle.load(tmp_path / "nowhere")
    for text, message in [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a bundle of automtl"),
        ('{"format": "other"}', "not a bundle of automtl"),
        ('{"format": "automtl-bundle", "format_version": 99}', "format 99, this automtl reads 1"),
        ('{"format": "automtl-bundle", "format_version": 1}', "damaged at features"),
    ]:
        (copied / "bundle.json").write_text(text)
        with pytest.raises(BundleError, match=message):
            Bundle.load(copied)
    (copied / "bundle.json").write_bytes(b"\xff\xfe")
    with pytest.raises(BundleError, match="not JSON"):
        Bundle.load(copied)


def test_a_name_that_is_too_long_is_said(study, tmp_path):
    with pytest.raises(BundleError, match=r"cannot be read .*File name too long"):
        Bundle.load(tmp_path / ("x" * 300))
    with pytest.raises(RunError, match=r"no bundle can be made here .*File name too long"):
        export_bundle(study, pick(study, "knee"), tmp_path / ("x" * 300))


@pytest.mark.parametrize("closed", ["bundle.json", "model.safetensors"])
def test_a_file_that_may_not_be_read_is_said(copied, monkeypatch, closed):
    opened = Path.open

    def guarded(path, *arguments, **options):
        if path.name == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", guarded)  # whoever runs the tests may read everything
    with pytest.raises(BundleError, match=rf"{closed}: cannot be read \(Permission denied\)"):
        Bundle.load(copied)


def test_a_directory_that_may_not_be_looked_into_is_said(study, copied, monkeypatch):
    stat = Path.stat

    def guarded(path, *arguments, **options):
        if path.is_relative_to(copied):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *arguments, **options)

    monkeypatch.setattr(Path, "stat", guarded)
    with pytest.raises(BundleError, match=r"cannot be read \(Permission denied\)"):
        Bundle.load(copied)
    with pytest.raises(RunError, match=r"no bundle can be made here \(Permission denied\)"):
        export_bundle(study, pick(study, "knee"), copied / "new")


def test_every_changed_or_missing_file_is_named(copied):
    (copied / "README.md").write_text("my own words")  # the card may be edited
    Bundle.load(copied)
    weights = (copied / "model.safetensors").read_bytes()
    (copied / "model.safetensors").write_bytes(weights[:-1] + b"!")
    (copied / "encoder" / "encoder.json").unlink()
    (copied / "encoder" / "more.json").write_text("{}")
    with pytest.raises(BundleError) as error:
        Bundle.load(copied)
    for problem in [
        "model.safetensors differs from its checksum",
        "encoder/encoder.json is missing",
        "encoder/more.json does not belong to it",
    ]:
        assert problem in str(error.value)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "encoder/../../x", "a\\..\\b"])
def test_names_that_lead_outside_are_refused(copied, name):
    plain = json.loads((copied / "bundle.json").read_text())
    change(copied, seal=False, checksums=plain["checksums"] | {name: "0"})
    with pytest.raises(BundleError, match="names a file outside itself"):
        Bundle.load(copied)


def test_files_without_a_checksum_are_refused(copied):
    change(copied, seal=False, checksums={})
    with pytest.raises(BundleError, match="have no checksum"):
        Bundle.load(copied)


def test_a_pickle_is_not_opened(copied, tmp_path):
    """Checksums that fit do not make it a safetensors file."""

    class Trap:
        def __reduce__(self):
            return (Path(tmp_path / "sprung").touch, ())

    (copied / "model.safetensors").write_bytes(pickle.dumps(Trap()) + b"\0" * 100_000)
    change(copied)
    with pytest.raises(BundleError, match="damaged weights"):
        Bundle.load(copied)
    assert not (tmp_path / "sprung").exists()


def spoil_shape(state):
    state["embedding.weights.0"] = torch.cat(
        [state["embedding.weights.0"], torch.zeros(1, state["embedding.weights.0"].shape[1])]
    )


def spoil_type(state):
    state["embedding.weights.0"] = state["embedding.weights.0"].double()


def spoil_value(state):
    state["embedding.weights.0"][0, 0] = float("nan")


def spoil_name(state):
    state["embeddings"] = state.pop("embedding.weights.0")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_shape, r"embedding.weights.0 is torch.float32 .*, not torch.float32"),
        (spoil_type, "embedding.weights.0 is torch.float64"),
        (spoil_value, "values that are not finite"),
        (spoil_name, "embedding.weights.0 is missing"),
    ],
)
def test_weights_must_be_exactly_the_models(copied, spoil, message):
    state = load_file(copied / "model.safetensors")
    state["embedding.weights.0"] = state["embedding.weights.0"].clone()
    spoil(state)
    save_file(state, copied / "model.safetensors")
    change(copied)
    with pytest.raises(BundleError, match=message):
        Bundle.load(copied)


@pytest.mark.parametrize(
    "model",
    [
        {"embedding_dim": 10**9},
        {"num_levels": 10**9},
        {"num_task_experts": 10**12},
        {"expert_dims": []},
        {"expert_dims": [-8]},
        {"expert_dims": [0]},
        {"embedding_dim": -4},
    ],
)
def test_a_model_that_cannot_be_is_refused_before_it_is_built(copied, model):
    plain = json.loads((copied / "bundle.json").read_text())
    model = {"family": "ple", "num_levels": 2} | model
    config = plain["config"] | {"model": plain["config"]["model"] | model}
    change(copied, config=config)
    with pytest.raises(BundleError, match="not the weights of the model described beside it"):
        Bundle.load(copied)


def test_an_encoder_of_another_model_is_refused(copied):
    encoder = json.loads((copied / "encoder" / "encoder.json").read_text())
    encoder["tasks"][0]["name"] = "other"
    (copied / "encoder" / "encoder.json").write_text(json.dumps(encoder))
    change(copied)
    with pytest.raises(BundleError, match="the encoder is not that of the manifest"):
        Bundle.load(copied)
    (copied / "encoder" / "encoder.json").write_text("{}")
    change(copied)
    with pytest.raises(BundleError, match=r"damaged: .*encoder"):
        Bundle.load(copied)
