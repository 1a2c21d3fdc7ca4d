"""Optimisers of tables, which see only the rows of a batch, against torch's, which see all."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from automtl.training import tables
from automtl.training.tables import build_table_optimizer, merge, state_floats

KINDS = ("adagrad", "rowwise_adagrad", "adam")
LR, NUM_ROWS, WIDTH = 0.1, 7, 3


@dataclasses.dataclass
class Plain:
    """Adagrad with one sum a row, row by row."""

    weights: Tensor
    sums: list[float]

    def step(self, gradient: Tensor) -> None:
        for row, grad in enumerate(gradient):
            self.sums[row] += float((grad**2).mean())
            if self.sums[row]:
                self.weights[row] -= LR * grad / (self.sums[row] ** 0.5 + 1e-10)


def make_table(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(NUM_ROWS, WIDTH, dtype=torch.float64, generator=generator)


def make_batches(num_batches=5, seed=1):
    """Rows of two columns, many of them repeated, row 0 in no batch; and their gradients."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(num_batches):
        rows = torch.randint(1, NUM_ROWS, (4, 2), generator=generator)
        yield rows, torch.randn(4, 2, WIDTH, dtype=torch.float64, generator=generator)


def dense_gradient(rows, grads):
    """The gradient of the whole table: what each row got, summed."""
    gradient = torch.zeros(NUM_ROWS, WIDTH, dtype=torch.float64)
    return gradient.index_add(0, rows.flatten(), grads.view(-1, WIDTH))


def trained(kind, *, l2=0.0):
    table = make_table()
    optimizer = build_table_optimizer(kind, table, lr=LR, l2=l2)
    for rows, grads in make_batches():
        optimizer.step(rows, grads)
    return optimizer


def states(optimizer):
    """The table and what is remembered of each of its rows, not the number of steps."""
    return {name: v for name, v in vars(optimizer).items() if isinstance(v, Tensor) and v.dim()}


# ---- the sum of each row's gradients ---------------------------------------------------------


@given(
    rows=st.lists(st.integers(0, 5), min_size=1, max_size=40),
    width=st.integers(1, 3),
    index_type=st.sampled_from([torch.int32, torch.int64]),
)
def test_merge_sums_the_gradients_of_each_row(rows, width, index_type):
    grads = torch.arange(1.0, 1 + len(rows) * width).view(-1, width)
    expected = {}
    for row, grad in zip(rows, grads, strict=True):
        expected[row] = expected.get(row, 0) + grad
    keys, sums = merge(torch.tensor(rows, dtype=index_type), grads)
    assert keys.dtype == torch.int64
    assert keys.tolist() == sorted(expected)
    for key, total in zip(keys.tolist(), sums, strict=True):
        assert torch.equal(total, expected[key])


@given(rows=st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_without_waiting_for_values_a_row_stands_there_each_time_with_the_sum(rows):
    rows, grads = torch.tensor(rows), torch.arange(1.0, 1 + len(rows))[:, None]
    keys, sums = tables._merge_static(rows, grads)
    assert keys.tolist() == sorted(rows.tolist())
    once, expected = tables._merge_compact(rows, grads)
    assert torch.equal(sums, expected[torch.searchsorted(once, keys)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_both_ways_to_merge_give_the_same_tables(kind, l2, monkeypatch):
    ours = states(trained(kind, l2=l2))
    monkeypatch.setattr(tables, "merge", tables._merge_static)
    for name, value in states(trained(kind, l2=l2)).items():
        assert torch.equal(value, ours[name]), name


# ---- against torch's optimisers --------------------------------------------------------------


def test_adagrad_is_torchs_on_the_whole_table():
    weight = torch.nn.Parameter(make_table())
    theirs = torch.optim.Adagrad([weight], lr=LR)
    for rows, grads in make_batches():
        weight.grad = dense_gradient(rows, grads)
        theirs.step()
    torch.testing.assert_close(trained("adagrad").table_VD, weight.detach())


def test_rowwise_adagrad_is_a_loop_over_rows_with_one_sum_each():
    plain = Plain(make_table(), [0.0] * NUM_ROWS)
    for rows, grads in make_batches():
        plain.step(dense_gradient(rows, grads))
    optimizer = trained("rowwise_adagrad")
    torch.testing.assert_close(optimizer.table_VD, plain.weights)
    assert optimizer.sum_V.tolist() == pytest.approx(plain.sums)


def test_adam_is_torchs_sparse_adam():
    weight = torch.nn.Parameter(make_table())
    theirs = torch.optim.SparseAdam([weight], lr=LR)
    for rows, grads in make_batches():
        size = weight.shape
        flat = rows.view(1, -1)
        weight.grad = torch.sparse_coo_tensor(
            flat, grads.view(-1, WIDTH), size, check_invariants=False
        )
        theirs.step()
    torch.testing.assert_close(trained("adam").table_VD, weight.detach())


# ---- what a step leaves alone, and what it costs ---------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_a_batch_does_not_read_keep_their_bits(kind):
    optimizer = trained(kind, l2=0.1)
    before = {name: value.clone() for name, value in states(optimizer).items()}
    optimizer.step(torch.tensor([2, 4, 2]), torch.ones(3, WIDTH, dtype=torch.float64))
    for name, value in states(optimizer).items():
        for row in range(NUM_ROWS):
            assert torch.equal(value[row], before[name][row]) == (row not in (2, 4)), (name, row)


@pytest.mark.parametrize("kind", KINDS)
def test_l2_adds_the_weight_to_the_summed_gradient_of_each_row_that_is_read(kind):
    table, rows = make_table(), torch.tensor([3, 1, 3])
    grads = torch.ones(3, WIDTH, dtype=torch.float64)
    ours = build_table_optimizer(kind, table.clone(), lr=LR, l2=0.2)
    ours.step(rows, grads)
    by_hand = build_table_optimizer(kind, table.clone(), lr=LR, l2=0.0)
    by_hand.step(torch.tensor([1, 3]), torch.stack([1 + 0.2 * table[1], 2 + 0.2 * table[3]]))
    torch.testing.assert_close(ours.table_VD, by_hand.table_VD)


@pytest.mark.parametrize("kind", KINDS)
def test_the_counted_state_is_the_built_one(kind):
    optimizer = build_table_optimizer(kind, make_table(), lr=LR, l2=0.0)
    built = sum(value.numel() for value in states(optimizer).values()) - NUM_ROWS * WIDTH
    assert built == NUM_ROWS * state_floats(kind, WIDTH)
