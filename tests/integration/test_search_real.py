"""From a spec to a study with trained models, in this process, on generated rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from automtl.config import ExecutorName
from automtl.data.cache import open_data
from automtl.errors import DataError, RunError, SearchFailedError
from automtl.models.model import MultiTaskModel
from automtl.search.fidelity import Ladder
from automtl.search.run import run_search
from automtl.spec.schema import Spec
from automtl.study import Study, TrialRecord
from automtl.training.fit import predict_rows
from automtl.training.metrics import evaluate


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def make_spec(**changes: object) -> Spec:
    search = {"trials": 4, "epochs": 0.3, "rungs": 2} | changes.pop("search", {})  # type: ignore[operator]
    return Spec.from_dict(
        {
            "version": 1,
            "name": "real",
            "data": {
                "generate": {"name": "impressions", "num_rows": 4000},
                "split": {"column": "split"},
                "categorical": ["user_id", "item_id"],
                "numeric": ["x0"],
            },
            "tasks": {
                "click": {"label": "click"},
                "conversion": {"label": "conversion", "given": "click"},
            },
            "objectives": ["click.auc", "conversion.auc", "params"],
            "space": {
                "embedding_dim": 4,
                "sharing": [{"family": "mmoe", "num_shared_experts": {"int": [2, 4]}}],
                "dependency": {"choice": ["none", "esmm"]},
                "expert_dims": [16],
                "tower_dims": [8],
                "lr": {"float": [1e-3, 1e-2], "log": True},
            },
            "search": search,
            "trial": {"device": "cpu"},
            **changes,
        }
    )


def search(
    run_dir: Path, spec: Spec, *, resume: bool = False, executor: ExecutorName = "local"
) -> Study:
    """One trial after the other."""
    return run_search(spec, run_dir, resume=resume, executor=executor, workers=1)


class Notes:
    """A Progress that remembers."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_start(self, study: Study, ladder: Ladder, warnings: Sequence[str] = ()) -> None:
        self.seen.append(f"start of {study.budget}")

    def on_change(self, record: TrialRecord) -> None:
        pass

    def on_trial(self, record: TrialRecord) -> None:
        self.seen.append(f"{record.id} {record.state}")

    def on_end(self, study: Study) -> None:
        self.seen.append("end")


def test_a_search_trains_evaluates_and_keeps_what_is_on_the_front(tmp_path: Path) -> None:
    spec, notes = make_spec(), Notes()
    study = run_search(spec, tmp_path / "run", executor="local", progress=notes)
    assert notes.seen == [
        "start of 4",
        *(f"t000{number} complete" for number in range(4)),
        "end",
    ]
    for record in study.trials():
        # conversions are too few to judge a trial before its end
        assert [seen.epochs for seen in record.evaluations] == [0.3]
        assert {"click.auc", "click.logloss", "conversion.joint_auc", "params", "flops"} <= set(
            record.metrics
        )
    data = open_data(spec)
    rows = data.rows("valid")
    for record in study.front():
        weights = load_file(study.weights_path(record.number))
        model = MultiTaskModel(
            record.config.model, data.features, data.tasks, generator=torch.Generator()
        )
        model.load_state_dict(weights)
        again = evaluate(predict_rows(model, rows), np.asarray(rows.labels_NK), data.tasks)
        assert again == pytest.approx({name: record.metrics[name] for name in again})
    assert sum(value.numel() for value in weights.values()) == record.metrics["params"]


@pytest.mark.parametrize("executor", ["local", "processes"])
def test_a_search_can_be_repeated(executor: ExecutorName, tmp_path: Path) -> None:
    first = search(tmp_path / "first", make_spec())
    again = search(tmp_path / "again", make_spec(), executor=executor)
    for one, other in zip(first.trials(), again.trials(), strict=True):
        assert (one.config, one.seed, one.values) == (other.config, other.seed, other.values)


def test_a_search_can_be_extended(tmp_path: Path) -> None:
    begun = search(tmp_path / "run", make_spec(search={"trials": 2})).trials()
    assert [record.id for record in begun] == ["t0000", "t0001"]
    grown = search(tmp_path / "run", make_spec(), resume=True).trials()
    assert len(grown) == 4
    assert [record.values for record in grown[:2]] == [record.values for record in begun]
    once_more = search(tmp_path / "run", make_spec(), resume=True).trials()
    assert once_more == grown, "there is nothing left to do"


def test_what_cannot_be_started_leaves_nothing(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    with pytest.raises(RunError, match="no such run"):
        search(run_dir, make_spec(), resume=True)
    rare = {"generate": {"name": "impressions", "num_rows": 4}, "split": {"random": True}}
    with pytest.raises(DataError):
        search(run_dir, make_spec(data=rare | {"categorical": ["user_id"]}))
    assert not run_dir.exists()


def test_a_run_is_looked_at_before_the_rows_are_encoded(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    bad_rows = {"path": str(tmp_path / "absent.csv"), "split": {"random": True}, "numeric": ["x"]}
    with pytest.raises(RunError, match="is not empty"):
        search(tmp_path, make_spec(data=bad_rows))


def test_another_spec_does_not_resume(tmp_path: Path) -> None:
    search(tmp_path / "run", make_spec(search={"trials": 1}))
    with pytest.raises(RunError, match=r"search\.epochs was 0\.3 and is now 0\.5"):
        search(tmp_path / "run", make_spec(search={"epochs": 0.5}), resume=True)


def test_a_search_of_failures_ends_with_the_first_traceback(tmp_path: Path) -> None:
    explosive = make_spec(
        space={
            "sharing": [{"family": "shared_bottom"}],
            "lr": {"choice": [1e30, 1e31, 1e32]},
            "embedding_lr": {"float": [1e30, 1e32]},
        },
        search={"trials": 10, "epochs": 1},
    )
    with pytest.raises(SearchFailedError, match=r"(?s)all 3 trials failed.*TrialFailedError"):
        search(tmp_path / "run", explosive)
    trials = Study.open(tmp_path / "run").trials()
    assert [record.state for record in trials] == ["failed"] * 3
    assert list((tmp_path / "run" / "weights").iterdir()) == []
