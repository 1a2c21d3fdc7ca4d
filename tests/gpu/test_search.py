"""A search whose trials share a GPU, and what it leaves for machines without one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from integration.test_search_real import make_spec
from safetensors.torch import load_file
from support.gpu import NEEDS_GPU

from automtl.data.cache import open_data
from automtl.models.model import MultiTaskModel
from automtl.search.run import run_search
from automtl.spec.schema import Spec
from automtl.study import Study
from automtl.training.fit import predict_rows
from automtl.training.metrics import evaluate

pytestmark = [
    *NEEDS_GPU,
    pytest.mark.slow,
    # Ray leaves sockets and pipes to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


OBJECTIVES = ["click.auc", "conversion.auc", "params", "latency_ms"]


def gpu_spec(**trial: object) -> Spec:
    return make_spec(objectives=OBJECTIVES, search={"trials": 10, "epochs": 1.0}, trial=trial)


@pytest.mark.parametrize("executor", ["local", "processes", "ray"])
def test_trials_train_on_the_gpu_and_are_scored_alike_without(tmp_path: Path, executor: str):
    spec = gpu_spec(gpus=0.25)
    study = run_search(spec, tmp_path / "run", executor=executor)
    records = study.trials()
    assert {record.state for record in records} <= {"complete", "pruned"}
    assert devices_of(study) == {"cuda"}
    data = open_data(spec)
    for record in study.front():
        model = MultiTaskModel(
            record.config.model, data.features, data.tasks, generator=torch.Generator()
        )
        model.load_state_dict(load_file(study.weights_path(record.number)))
        rows = data.rows("valid")
        found = evaluate(predict_rows(model, rows), np.asarray(rows.labels_NK), data.tasks)
        assert found["click.auc"] == pytest.approx(record.metrics["click.auc"], abs=1e-3)


def test_a_trial_that_is_to_use_the_cpu_does(tmp_path: Path):
    study = run_search(gpu_spec(device="cpu"), tmp_path / "run", executor="ray")
    assert devices_of(study) == {"cpu"}


def devices_of(study: Study) -> set[str]:
    return {seen.device for record in study.trials() for seen in record.evaluations}
