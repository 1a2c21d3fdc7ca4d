"""Batches: the same rows in the same order wherever they lie."""

import itertools

import numpy as np
import pytest
import torch

from automtl.training.batches import Batches, placement

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def make_batches(num_rows=10, placed=None):
    ids = np.arange(2 * num_rows, dtype=np.int32).reshape(num_rows, 2)
    numbers = np.arange(num_rows, dtype=np.float32)
    return Batches(ids, numbers, device=CPU, placed=placed)


def assert_same(ours, expected):
    for left, right in zip(ours, expected, strict=True):
        assert [tensor.tolist() for tensor in left] == [tensor.tolist() for tensor in right]


@pytest.mark.parametrize(
    ("num_bytes", "device", "free_bytes", "expected"),
    [
        (10**12, CPU, 1, "host"),
        (25, GPU, 100, "device"),
        (26, GPU, 100, "streamed"),
    ],
)
def test_rows_lie_on_an_accelerator_if_they_take_a_quarter_of_it(
    num_bytes, device, free_bytes, expected
):
    assert placement(num_bytes, device, free_bytes) == expected


def test_an_epoch_shows_every_row_once():
    stream = make_batches(10).shuffled(4, np.random.default_rng(0))
    seen = torch.cat([next(stream)[1] for _ in range(5)]).tolist()
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]


@pytest.mark.parametrize("batch_size", [10, 1000])
def test_a_batch_is_at_most_all_rows(batch_size):
    ids, numbers = next(make_batches(10).shuffled(batch_size, np.random.default_rng(0)))
    assert sorted(numbers.tolist()) == list(range(10))
    assert torch.equal(ids[:, 0], 2 * numbers)


@pytest.mark.parametrize("placed", ["device", "streamed"])
def test_where_the_rows_lie_changes_no_batch(placed):
    host, elsewhere = make_batches(), make_batches(placed=placed)
    streams = [one.shuffled(4, np.random.default_rng(3)) for one in (host, elsewhere)]
    assert_same(*(list(itertools.islice(stream, 8)) for stream in streams))
    assert_same(elsewhere.in_order(4), host.in_order(4))
    rows = torch.tensor([3, 1, 1])
    assert_same([elsewhere.take(rows)], [host.take(rows)])


def test_rows_in_order_end_with_a_smaller_batch():
    assert [len(ids) for ids, _ in make_batches(10).in_order(4)] == [4, 4, 2]


@pytest.mark.parametrize("num_taken", [0, 1, 3])
def test_a_stream_can_be_left_at_any_time(num_taken):
    stream = make_batches(placed="streamed").shuffled(4, np.random.default_rng(0))
    for _ in range(num_taken):
        next(stream)
    stream.close()
    assert list(stream) == []
