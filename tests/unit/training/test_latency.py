"""One batch, timed: what counts, what does not, and that a trial tells it first."""

import types

import numpy as np
import pytest
from support.make import InMemoryData, make_model

from automtl.config import ModelConfig, TrainConfig, TrialConfig
from automtl.training import latency
from automtl.training.fit import Trainer
from automtl.training.latency import NUM_FASTEST, NUM_RUNS, NUM_WARM_UPS, latency_ms

SMALL = ModelConfig(family="shared_bottom", expert_dims=(16,), tower_dims=(8,), embedding_dim=4)


@pytest.fixture
def model():
    return make_model(SMALL)


def times(monkeypatch, taken_s):
    """Each call of `predict` takes what the list says."""
    now, taken = [0.0], iter(taken_s)
    shapes = []
    monkeypatch.setattr(latency, "time", types.SimpleNamespace(perf_counter=lambda: now[0]))

    def predict(ids_BC, numeric_BF):
        shapes.append((tuple(ids_BC.shape), tuple(numeric_BF.shape)))
        now[0] += next(taken)

    return predict, shapes


def test_it_is_the_median_of_the_fastest_after_the_warm_ups(monkeypatch, model):
    fast = [0.003, 0.0039, 0.004, 0.0041, 0.0042]
    runs = [5.0] * (NUM_RUNS - NUM_FASTEST) + fast  # nearly all are disturbed
    predict, shapes = times(monkeypatch, [0.001] * NUM_WARM_UPS + runs)
    monkeypatch.setattr(model, "predict", predict)
    assert latency_ms(model, InMemoryData().rows("valid"), batch_size=64) == pytest.approx(4.0)
    assert shapes == [((64, 5), (64, 2))] * (NUM_WARM_UPS + NUM_RUNS)


def test_fewer_rows_than_a_batch_are_taken_again(monkeypatch, model):
    data = InMemoryData(num_rows=10)
    seen = []
    monkeypatch.setattr(model, "predict", lambda ids, numeric: seen.append(ids.numpy()))
    latency_ms(model, data.rows("valid"), batch_size=25)
    ids = data.rows("valid").ids_NC
    np.testing.assert_array_equal(seen[0], np.concatenate([ids, ids, ids[:5]]))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_real_model_takes_some_time(model, precision):
    rows = InMemoryData().rows("valid")
    assert 0.01 < latency_ms(model, rows, batch_size=32, precision=precision) < 10_000


def test_a_trial_that_is_measured_tells_it_before_and_after():
    config = TrialConfig(model=SMALL, train=TrainConfig(batch_size=100, epochs=0.1))
    trainer = Trainer(config, InMemoryData(), seed=0, device="cpu")
    first = trainer.measure_latency(64)
    assert (first.epochs, first.examples) == (0, 0)
    assert first.metrics.keys() == {
        "params", "params.embedding", "params.dense", "flops", "latency_ms"
    }  # fmt: skip
    (last,) = trainer.run()
    assert last.metrics["latency_ms"] == first.metrics["latency_ms"] > 0


def test_measuring_changes_nothing_of_what_is_learned():
    config = TrialConfig(model=SMALL, train=TrainConfig(batch_size=100, epochs=0.5))
    plain, measured = (Trainer(config, InMemoryData(), seed=0, device="cpu") for _ in range(2))
    measured.measure_latency(64)
    (before,), (after,) = plain.run(), measured.run()
    assert before.metrics.items() <= after.metrics.items()
    assert "latency_ms" not in before.metrics
