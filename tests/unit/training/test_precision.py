"""bf16 and TF32: when they are chosen, that they learn as well, and that nobody else sees them."""

import numpy as np
import pytest
import torch
from support.make import CLICK_AND_CONVERSION, InMemoryData

from automtl.config import ModelConfig, TrainConfig, TrialConfig
from automtl.training import precision
from automtl.training.fit import Trainer, predict_rows
from automtl.training.precision import autocast, multiplying, resolve_precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("units", "device", "expected"),
    [
        ((True, False), CPU, ("bf16", "auto: this CPU has units for bf16")),
        ((False, True), CPU, ("bf16", "auto: this CPU has units for bf16")),
        ((False, False), CPU, ("fp32", "auto: this CPU has no units for bf16")),
    ],
)
def test_auto_is_bf16_where_the_processor_has_units_for_it(units, device, expected, monkeypatch):
    for name, has in zip(precision.BF16_UNITS, units, strict=True):
        monkeypatch.setattr(torch.cpu, name, lambda has=has: has, raising=False)
    assert resolve_precision("auto", device) == expected


@pytest.mark.parametrize(
    ("asked", "capability", "expected"),
    [
        ("auto", (8, 0), ("tf32", "auto: this GPU multiplies in TF32")),
        ("auto", (7, 5), ("fp32", "auto: nothing faster was measured on this device")),
        ("tf32", (9, 0), ("tf32", "asked for")),
        ("tf32", (7, 5), ("fp32", "tf32 needs a GPU of compute capability 8.0")),
    ],
)
def test_tf32_is_of_gpus_that_have_it(asked, capability, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert resolve_precision(asked, GPU) == expected


def test_a_cpu_without_what_is_asked_for_says_so():
    assert resolve_precision("tf32", CPU)[0] == "fp32"
    config = TrialConfig(model=ModelConfig(family="shared_bottom"), train=TrainConfig())
    notes = Trainer(config, InMemoryData(), seed=0, device="cpu", precision="tf32").notes
    assert notes == ["precision fp32 (tf32 needs a GPU of compute capability 8.0)"]


def test_tf32_is_on_in_products_only():
    asked = torch.backends.cuda.matmul.allow_tf32
    for context in (autocast("tf32", CPU), multiplying("tf32")):
        with context:
            assert torch.backends.cuda.matmul.allow_tf32
        assert torch.backends.cuda.matmul.allow_tf32 == asked
    with multiplying("bf16"):
        assert torch.backends.cuda.matmul.allow_tf32 == asked


def test_auto_is_fp32_with_a_torch_that_cannot_tell(monkeypatch):
    for name in precision.BF16_UNITS:
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert resolve_precision("auto", CPU)[0] == "fp32"


@pytest.mark.parametrize("asked", ["fp32", "bf16"])
@pytest.mark.parametrize("device", [CPU, GPU])
def test_what_is_asked_for_is_used(asked, device):
    assert resolve_precision(asked, device) == (asked, "asked for")


def test_only_products_are_bf16():
    x = torch.ones(2, 2)
    with autocast("bf16", CPU):
        assert (x @ x).dtype == torch.bfloat16
        assert (x + x).dtype == torch.float32
    with autocast("fp32", CPU):
        assert (x @ x).dtype == torch.float32


@pytest.mark.parametrize("dependency", ["none", "esmm"])
def test_bf16_learns_as_well_as_fp32_and_predicts_in_fp32(dependency):
    config = TrialConfig(
        model=ModelConfig(
            family="mmoe", dependency=dependency, num_shared_experts=2, expert_dims=(16,)
        ),
        train=TrainConfig(batch_size=100, lr=1e-2, epochs=3),
    )
    data, last = InMemoryData(), {}
    for name in ("fp32", "bf16"):
        trainer = Trainer(config, data, seed=0, device="cpu", precision=name)
        last[name] = list(trainer.run())[-1].metrics
        assert {p.dtype for p in trainer.model.parameters()} == {torch.float32}
        predictions = predict_rows(trainer.model, data.rows("valid"))
        assert {values.dtype for values in predictions.values()} == {np.dtype(np.float32)}
        ids, numeric = (torch.from_numpy(part[:5]) for part in _inputs(data))
        with autocast(name, CPU):
            assert {v.dtype for v in trainer.model.predict(ids, numeric).values()} == {
                torch.float32
            }
    assert last["fp32"] != last["bf16"]
    for task in CLICK_AND_CONVERSION:
        auc = f"{task.name}.auc"
        assert last["bf16"][auc] == pytest.approx(last["fp32"][auc], abs=0.01)


def _inputs(data):
    rows = data.rows("valid")
    return rows.ids_NC, rows.numeric_NF
