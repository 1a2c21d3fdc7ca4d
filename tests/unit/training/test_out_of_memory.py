"""Memory that the CPU does not have: half the batch, once, as on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.make import InMemoryData

from automtl.config import ModelConfig, TrainConfig, TrialConfig
from automtl.errors import TrialFailedError
from automtl.training.fit import Trainer
from automtl.training.memory import is_out_of_memory, peak_bytes
from automtl.training.step import Stepper

MODEL = ModelConfig(family="shared_bottom", expert_dims=(16,), tower_dims=(8,), embedding_dim=4)


def too_much_for_torch() -> None:
    torch.empty(2**50)


def too_much_for_numpy() -> None:
    raise MemoryError("Unable to allocate 8.0 PiB")


def a_wrong_shape() -> None:
    torch.ones(2) @ torch.ones(3)


def evaluations(batch_size: int) -> list[Any]:
    config = TrialConfig(model=MODEL, train=TrainConfig(batch_size=batch_size))
    return list(Trainer(config, InMemoryData(), seed=0, device="cpu").run())


def fail_steps(patch: pytest.MonkeyPatch, num_failures: int, fault: Callable[[], None]) -> None:
    step, left = Stepper.step, iter(range(num_failures))

    def failing(self: Stepper, *batch: Any, epochs: float) -> Any:
        if next(left, None) is not None:
            fault()
        return step(self, *batch, epochs=epochs)

    patch.setattr(Stepper, "step", failing)


@pytest.mark.parametrize("fault", [too_much_for_torch, too_much_for_numpy])
def test_half_the_batch_is_tried_once(
    fault: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_steps(monkeypatch, 1, fault)
    last = evaluations(200)[-1]
    assert "out of memory at batch_size 200: trained with 100" in last.notes
    fail_steps(monkeypatch, 2, fault)
    message = r"out of memory on cpu at batch_size 100, after \d+\.\d GB; a smaller batch_size, "
    with pytest.raises(TrialFailedError, match=message):
        evaluations(200)


def test_another_error_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_steps(monkeypatch, 1, a_wrong_shape)
    with pytest.raises(RuntimeError, match="size"):
        evaluations(200)


def test_what_is_no_memory_error() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("shapes differ"))
    assert not is_out_of_memory(ValueError("DefaultCPUAllocator"))


def test_the_peak_is_of_the_process() -> None:
    assert 5e7 < peak_bytes(torch.device("cpu")) < 1e12
