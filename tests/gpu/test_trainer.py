"""A whole trial on a GPU: reproducible, resumable, and as good as on a CPU."""

import gc
from functools import partial

import numpy as np
import pytest
import torch
from support.gpu import NEEDS_GPU
from support.make import InMemoryData
from unit.training.test_checkpoint import KilledError, assert_equal, weights_of
from unit.training.test_checkpoint import train as train_on

from automtl.config import FAMILIES, ModelConfig, TrainConfig, TrialConfig
from automtl.training import batches
from automtl.training.metrics import auc, log_loss

pytestmark = NEEDS_GPU

train = partial(train_on, device="cuda")


def make_config(family="ple", *, batch_size=130, expert_dims=(16,), dropout=0.2, **train):
    return TrialConfig(
        model=ModelConfig(
            family=family,
            num_levels=2 if family == "ple" else 1,
            num_shared_experts=2,
            expert_dims=expert_dims,
            tower_dims=(8,),
            embedding_dim=4,
            dropout=dropout,
            embedding_dropout=dropout / 2,
        ),
        train=TrainConfig(batch_size=batch_size, epochs=2, **train),
    )


def test_the_same_seed_gives_the_same_bits():
    (first, found), (second, again) = train(), train()
    assert [one.metrics for one in found] == [one.metrics for one in again]
    assert_equal(weights_of(first), weights_of(second))


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_as_good_as_on_a_cpu(family):
    config = make_config(family, dropout=0.0)
    (_, [*_, on_gpu]), (_, [*_, on_cpu]) = (
        train(config=config, device=device) for device in ("cuda", "cpu")
    )
    assert on_gpu.device == "cuda"
    # Adagrad's first steps have the size of the rate, whatever that of the gradient: rounding
    # decides about the sign of the smallest, and 2,000 rows tell two such models apart
    for name in ("click.auc", "buy.joint_auc"):
        assert on_gpu.metrics[name] == pytest.approx(on_cpu.metrics[name], abs=0.02)
    assert on_gpu.metrics["params"] == on_cpu.metrics["params"]


def test_where_a_trial_is_evaluated_changes_no_weight():
    evaluated_often, _ = train(config=make_config(), rungs=(0.1, 0.3, 1.0))
    evaluated_once, _ = train(config=make_config())
    assert_equal(weights_of(evaluated_often), weights_of(evaluated_once))


def test_rows_that_do_not_fit_come_batch_by_batch(monkeypatch):
    resident, _ = train()
    monkeypatch.setattr(batches, "RESIDENT_SHARE", 0.0)
    streamed, [*_, last] = train()
    assert any("batches are copied there one by one" in note for note in last.notes)
    assert_equal(weights_of(resident), weights_of(streamed))


@pytest.mark.parametrize("embedding_optimizer", ["adagrad", "rowwise_adagrad", "adam"])
def test_a_killed_training_goes_on_to_the_same_bits(tmp_path, embedding_optimizer):
    config = make_config(embedding_optimizer=embedding_optimizer, weighting="decay")
    whole, expected = train(config=config)
    path = tmp_path / "checkpoint"
    for kill_at in (2, 22):  # before a step is recorded, and after
        with pytest.raises(KilledError):
            train(path, kill_at=kill_at, config=config)
    again, found = train(path, config=config)
    assert [one.metrics for one in found] == [one.metrics for one in expected]
    assert_equal(weights_of(again), weights_of(whole))


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_products_of_fewer_bits_are_nearly_as_good(precision):
    config = make_config("mmoe", dropout=0.0)
    (_, [*_, fewer]), (_, [*_, all_bits]) = (
        train(config=config, precision=precision),
        train(config=config, precision="fp32"),
    )
    assert fewer.metrics != all_bits.metrics
    assert fewer.metrics["click.auc"] == pytest.approx(all_bits.metrics["click.auc"], abs=0.02)


def test_auto_is_tf32_and_says_so():
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("this GPU has no TF32")
    _, [*_, last] = train()
    assert "precision tf32 (auto: this GPU multiplies in TF32)" in last.notes


def test_memory_is_given_back():
    """A worker trains one trial after the other."""
    train()  # libraries take their workspaces
    before = torch.cuda.memory_allocated()
    for _ in range(3):
        train()
    assert torch.cuda.memory_allocated() == before


def test_out_of_memory_half_the_batch_is_tried():
    data = InMemoryData(num_rows=200_000)
    needed = []
    for batch_size in (100_000, 200_000):
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        train(config=wide_config(batch_size), data=data)
        needed.append(torch.cuda.max_memory_reserved())
    gc.collect()
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(sum(needed) / 2 / total)
    try:
        _, [*_, last] = train(config=wide_config(200_000), data=data)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "out of memory at batch_size 200000: trained with 100000" in last.notes


def wide_config(batch_size):
    """Needs memory by the batch, not by the model."""
    return make_config("mmoe", batch_size=batch_size, expert_dims=(1024, 1024), dropout=0.0)


def test_latency_is_that_of_the_device():
    trainer, _ = train()
    trainer.measure_latency(64)
    assert 0 < trainer.costs["latency_ms"] < 100


def test_metrics_are_computed_on_the_device():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 100_000), rng.random(100_000).round(3)
    labels, scores = labels.astype(np.float32), scores.astype(np.float32)
    on_gpu = [torch.from_numpy(part).cuda() for part in (labels, scores)]
    assert auc(*on_gpu) == auc(labels, scores)
    assert log_loss(*on_gpu) == pytest.approx(log_loss(labels, scores), rel=1e-9)
