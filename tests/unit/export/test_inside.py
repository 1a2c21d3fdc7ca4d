"""A look inside a real trial, against plain loops over its rows."""

import shutil
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from support.plain_models import plain_gates

from automtl.analysis.inside import gates_frame, is_complete, outputs_frame, read_inside, wanted
from automtl.config import FeatureSchema, TaskSchema
from automtl.data.cache import Rows
from automtl.export import inside as export_inside
from automtl.export.describe import weights_of
from automtl.export.inside import inside_of, look_inside
from automtl.export.standing import trained
from automtl.export.weights import load_model
from automtl.study import Study
from automtl.study_rows import encoded_data
from automtl.training.fit import predict_rows


@dataclass(frozen=True)
class Few:
    """The first rows of a data set, as its test rows or as its validation rows."""

    features: FeatureSchema
    tasks: tuple[TaskSchema, ...]
    few: Rows
    split: str = "test"

    @property
    def num_rows(self):
        return {"train": 0, "valid": 0, "test": 0} | {self.split: len(self.few)}

    def rows(self, split):
        assert split == self.split
        return self.few


@pytest.fixture(scope="module")
def data(study):
    return encoded_data(study)


def few_rows(data, num_rows, split="test"):
    rows = data.rows("test")
    part = Rows(
        ids_NC=rows.ids_NC[:num_rows],
        numeric_NF=rows.numeric_NF[:num_rows],
        labels_NK=rows.labels_NK[:num_rows],
    )
    return Few(features=data.features, tasks=data.tasks, few=part, split=split)


@pytest.fixture(scope="module")
def ple(study):
    """A trial with gates whose weights are kept."""
    return next(
        record
        for record in study.trials()
        if record.has_weights and record.config.model.family == "ple"
    )


def test_gates_are_means_and_deviations_over_rows_of_what_the_plain_loops_give(study, data, ple):
    few = few_rows(data, 12)
    gates = inside_of(study, ple, few).gates
    model = load_model(weights_of(trained(study, ple)), ple.config.model, data.features, data.tasks)
    with torch.no_grad():
        plain = plain_gates(
            model.double(),
            torch.from_numpy(few.few.ids_NC),
            torch.from_numpy(few.few.numeric_NF).double(),
        )
    names = [task.name for task in data.tasks]
    num_own = ple.config.model.num_task_experts
    expected_keys = {key for key, weights in plain[0].items() if len(weights) > 1}
    seen_keys = set()
    for gate in gates:
        key = (gate.level - 1, names.index(gate.tasks[0]) if gate.tasks else "shared")
        seen_keys.add(key)
        weights = np.array([[one.item() for one in row[key]] for row in plain])
        assert [one.mean for one in gate.experts] == pytest.approx(weights.mean(0), abs=1e-5)
        assert [one.std for one in gate.experts] == pytest.approx(weights.std(0), abs=1e-5)
        effective = np.mean([np.exp(-(row * np.log(row)).sum()) for row in weights])
        assert gate.effective_per_row == pytest.approx(effective, abs=1e-5)
        own = [gate.tasks[0]] * num_own if gate.tasks else np.repeat(names, num_own).tolist()
        assert [one.owner for one in gate.experts] == ["", *own]
    assert seen_keys == expected_keys


def test_outputs_are_compared_with_the_labels_of_the_rows_where_they_can_be_observed(
    study, data, ple
):
    inside = inside_of(study, ple, data)
    rows = data.rows("test")
    model = load_model(weights_of(trained(study, ple)), ple.config.model, data.features, data.tasks)
    predictions = predict_rows(model, rows)
    click, buy, spend = (np.asarray(rows.labels_NK)[:, column] for column in range(3))
    cases = {
        "click": (click, predictions["click"], click >= 0),
        "buy": (buy, predictions["buy"], click == 1),
        "buy.joint": (np.where(click == 1, buy, 0), predictions["buy.joint"], click >= 0),
        "spend": (spend, predictions["spend"], click == 1),
    }
    frame = outputs_frame([inside]).set_index("output")
    assert set(frame.index) == set(cases)
    for name, (labels, predicted, where) in cases.items():
        assert frame.loc[name, "num_rows"] == where.sum()
        assert frame.loc[name, "observed"] == pytest.approx(labels[where].mean(), rel=1e-5)
        assert frame.loc[name, "predicted"] == pytest.approx(predicted[where].mean(), rel=1e-5)


def test_a_joint_output_is_the_product_along_its_chain(study, data, ple):
    (chain,) = inside_of(study, ple, data).chains
    assert (chain.task, chain.given, chain.output) == ("buy", "click", "buy.joint")
    assert chain.joint == pytest.approx(chain.product, abs=1e-6)
    assert chain.largest_difference < 1e-6
    assert chain.joint < chain.own


def test_without_test_rows_validation_rows_are_looked_at(study, data, ple):
    inside = inside_of(study, ple, few_rows(data, 40, split="valid"))
    assert (inside.split, inside.num_rows, inside.num_all) == ("valid", 40, 40)


def test_of_many_rows_some_are_picked_evenly(study, data, ple, monkeypatch):
    monkeypatch.setattr(export_inside, "MOST_ROWS", 30)
    inside = inside_of(study, ple, few_rows(data, 100))
    assert (inside.num_rows, inside.num_all) == (25, 100)
    every = inside_of(study, ple, few_rows(data, 20))
    assert (every.num_rows, every.num_all) == (20, 20)


def test_a_trial_without_gates_has_none(study, data):
    reference = study.reference()
    assert inside_of(study, reference, few_rows(data, 40)).gates == ()
    assert len(gates_frame([inside_of(study, reference, few_rows(data, 40))])) == 0


@pytest.fixture
def own_run(run_dir, tmp_path):
    """A copy of the run that a test may change."""
    shutil.copytree(run_dir, tmp_path / "run")
    return Study.open(tmp_path / "run")


def test_what_is_missing_is_measured_once(own_run, monkeypatch):
    shutil.rmtree(own_run.run_dir / "inside", ignore_errors=True)
    assert not is_complete(own_run)
    assert look_inside(own_run) == {}
    assert is_complete(own_run)
    for record in wanted(own_run):
        assert read_inside(own_run, record).trial == record.id

    def never(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr(export_inside, "inside_of", never)
    assert look_inside(own_run) == {}


def test_weights_that_are_gone_are_a_reason_and_the_others_are_measured(own_run):
    first, *others = wanted(own_run)
    own_run.weights_path(first.number).unlink()
    why = look_inside(own_run)
    assert list(why) == [first.id]
    assert "has no weights any more" in why[first.id]
    assert all(read_inside(own_run, record) for record in others)


def test_rows_that_are_gone_are_a_reason(own_run, monkeypatch, tmp_path):
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "cache"))
    own_run.meta["data"]["cache"] = str(tmp_path / "nowhere")
    own_run.meta["data"]["fingerprint"] = "another"
    why = look_inside(own_run)
    assert set(why) == {record.id for record in wanted(own_run)}
    assert all("changed since the search" in reason for reason in why.values())


def test_weights_of_another_model_are_a_reason(own_run):
    first, *_ = wanted(own_run)
    own_run.weights_path(first.number).write_bytes(b"no weights at all")
    assert "cannot be looked into" in look_inside(own_run)[first.id]


def test_a_place_that_cannot_be_written_is_a_reason(own_run):
    (own_run.run_dir / "inside").write_text("a file")
    why = look_inside(own_run)
    assert all("inside cannot be written" in reason for reason in why.values())
    assert len(why) == len(wanted(own_run))
