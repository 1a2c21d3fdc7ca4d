"""The dense part's optimiser is torch's AdamW, without what torch imports for it."""

from __future__ import annotations

import subprocess
import sys

import torch
from hypothesis import given
from hypothesis import strategies as st

from automtl.training.adamw import AdamW, Group

SHAPES = ((3, 4, 5), (1, 1, 5), ())


def parameters() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, requires_grad=True) for shape in SHAPES]


def give_gradients(tensors: list[torch.Tensor], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for tensor in tensors:
        tensor.grad = torch.randn(tensor.shape, generator=generator)


@given(
    lr=st.floats(1e-5, 1.0),
    weight_decay=st.sampled_from([0.0, 0.01, 1.0]),
    num_steps=st.integers(1, 5),
)
def test_it_steps_as_torch_does(lr: float, weight_decay: float, num_steps: int) -> None:
    ours, theirs = parameters(), parameters()
    optimizer = AdamW(
        [
            Group(parameters=ours[:2], lr=lr, weight_decay=weight_decay),
            Group(parameters=ours[2:], lr=lr / 2),
        ]
    )
    groups = [
        {"params": theirs[:2], "weight_decay": weight_decay},
        {"params": theirs[2:], "lr": lr / 2, "weight_decay": 0.0},
    ]
    torchs = torch.optim.AdamW(groups, lr=lr, foreach=False, fused=False)
    for seed in range(num_steps):
        give_gradients(ours, seed)
        give_gradients(theirs, seed)
        optimizer.step()
        torchs.step()
    for got, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(got, expected)


def test_a_parameter_without_a_gradient_stays_and_its_next_step_is_its_first() -> None:
    tensors, alone = parameters(), parameters()
    optimizer, other = (AdamW([Group(parameters=t, lr=0.1)]) for t in (tensors, alone))
    give_gradients(tensors, 0)
    tensors[1].grad = None
    before = tensors[1].detach().clone()
    optimizer.step()
    assert torch.equal(tensors[1], before)
    for some, one in ((tensors, optimizer), (alone, other)):
        give_gradients(some, 1)
        one.step()
    assert torch.equal(tensors[1], alone[1])
    assert not torch.equal(tensors[0], alone[0])


def test_gradients_are_dropped() -> None:
    tensors = parameters()
    give_gradients(tensors, 0)
    AdamW([Group(parameters=tensors, lr=0.1)]).zero_grad()
    assert [tensor.grad for tensor in tensors] == [None, None, None]


def test_a_step_imports_no_compiler() -> None:
    """It takes two seconds, in every worker."""
    script = """
import sys, torch
from automtl.training.adamw import AdamW, Group
for is_fused in (True, False):
    parameter = torch.zeros(3, requires_grad=True)
    group = Group(parameters=[parameter], lr=0.1)
    group.is_fused = is_fused
    parameter.grad = torch.ones(3)
    AdamW([group]).step()
    assert parameter.sum() < 0
sys.exit("torch._dynamo" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
