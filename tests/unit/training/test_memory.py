"""What a model needs, counted before it is built, against what is free."""

import ctypes

import pytest
import torch
from support.make import InMemoryData, make_features, make_model
from torch import Tensor

from automtl.config import ModelConfig, TrainConfig, TrialConfig
from automtl.errors import TrialFailedError
from automtl.models.plan import plan_model
from automtl.training import fit, memory
from automtl.training.fit import Trainer
from automtl.training.memory import check_fits, free_bytes, keep_freed_memory, needed_bytes
from automtl.training.optim import build_table_optimizers, dense_parameters

CPU = torch.device("cpu")


def make_config(family="mmoe", optimizer="adagrad", **model):
    return TrialConfig(
        model=ModelConfig(family=family, num_shared_experts=2, **model),
        train=TrainConfig(embedding_optimizer=optimizer),
    )


def make_plan(config, features=None):
    return plan_model(config.model, features or make_features(), num_tasks=2)


@pytest.mark.parametrize("family", ["single_task", "mmoe"])
@pytest.mark.parametrize("optimizer", ["adagrad", "rowwise_adagrad", "adam"])
def test_the_counted_bytes_are_those_of_the_tables_and_states_that_are_built(family, optimizer):
    config = make_config(
        family,
        optimizer,
        embedding_dims={"c1": 3},
        numeric_encoding="piecewise_linear",
        sequence_pooling="attention",
    )
    model = make_model(config.model)
    tables = build_table_optimizers(config.train, model)
    parts = [part for one in tables for part in vars(one).values() if isinstance(part, Tensor)]
    floats = sum(part.numel() for part in parts if part.dim())  # the number of steps is no float
    floats += 4 * sum(parameter.numel() for parameter in dense_parameters(model))
    assert needed_bytes(config, make_plan(config)) == 4 * floats


def test_a_model_that_cannot_fit_fails_before_anything_is_built(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: 2 * 10**9)
    monkeypatch.setattr(fit, "MultiTaskModel", None)
    data = InMemoryData(features=make_features(num_tables=1, rows=100_000_000))
    with pytest.raises(TrialFailedError) as caught:
        Trainer(make_config(), data, seed=0, device="cpu")
    assert str(caught.value) == (
        "the model needs 12.8 GB (1,600,000,000 parameters in embeddings with embedding_optimizer"
        " adagrad), 2.0 GB are free; a smaller embedding_dim, a max_vocab, or embedding_optimizer"
        " rowwise_adagrad needs less"
    )


def test_a_model_that_just_fits_is_let_through_and_so_is_any_where_nothing_can_be_told(monkeypatch):
    config = make_config()
    needed = needed_bytes(config, make_plan(config))
    for free in (needed, None):
        monkeypatch.setattr(memory, "free_bytes", lambda device, free=free: free)
        check_fits(config, make_plan(config), CPU)
    monkeypatch.setattr(memory, "free_bytes", lambda device: needed - 1)
    with pytest.raises(TrialFailedError):
        check_fits(config, make_plan(config), CPU)


def test_the_free_memory_of_this_machine_is_known_and_of_another_device_is_not():
    assert free_bytes(torch.device("meta")) is None
    free = free_bytes(CPU)
    assert free is None or free > 0


@pytest.mark.parametrize(
    ("limit", "used", "expected"),
    [("1000", "700", 340), ("max", "700", None), ("1000", "1100", 0)],
)
def test_a_containers_limit_counts_without_what_is_used_but_for_caches(
    limit, used, expected, tmp_path
):
    (tmp_path / "memory.max").write_text(limit + "\n")
    (tmp_path / "memory.current").write_text(used + "\n")
    (tmp_path / "memory.stat").write_text("anon 660\nactive_file 5\ninactive_file 40\n")
    assert memory._free_of_cgroup(tmp_path) == expected


def test_without_a_container_there_is_no_limit(tmp_path):
    assert memory._free_of_cgroup(tmp_path) is None


def test_the_smaller_of_the_machines_and_the_containers_memory_is_free(monkeypatch):
    monkeypatch.setattr(memory, "_free_of_machine", lambda: 10)
    monkeypatch.setattr(memory, "_free_of_cgroup", lambda: 7)
    assert free_bytes(CPU) == 7


def test_memory_that_is_kept_changes_no_number():
    before = make_model(ModelConfig(family="mmoe")).towers.weights[0]
    keep_freed_memory()
    keep_freed_memory()
    assert torch.equal(make_model(ModelConfig(family="mmoe")).towers.weights[0], before)


def test_without_glibc_nothing_is_done(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    keep_freed_memory()
