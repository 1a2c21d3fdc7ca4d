"""ONNX Runtime predicts what torch predicts, of every model that can be described."""

import dataclasses

import numpy as np
import pytest
import torch
from support.exported import FEATURES, TASKS, random_inputs, small_model, write_model

from automtl.config import FAMILIES, FeatureSchema
from automtl.data.encode import Inputs
from automtl.export.compare import TOLERANCE, largest_difference
from automtl.export.engines.onnx_engine import OnnxEngine
from automtl.export.engines.torch_engine import TorchEngine
from automtl.export.graph.file import write_graph

ROWS = random_inputs(10_000)
FEW_ROWS = random_inputs(1_000)

# each knob that changes the graph, one at a time
KNOBS = [
    {"numeric_encoding": "buckets"},
    {"numeric_encoding": "piecewise_linear"},
    {"sequence_pooling": "sum"},
    {"sequence_pooling": "attention"},
    {"sequence_pooling": "attention", "numeric_encoding": "buckets", "gate_features": ("user",)},
    {"embedding_dims": {"item": 7, "user": 3}},
    {"drop_features": ("user", "price", "words", "picture")},
    {"gate_features": ("item", "age", "picture")},
    {"gate_dims": (5,), "expert_dims": (8, 6, 3), "tower_dims": ()},
    {"tower_dims": (8, 4)},
    {"dropout": 0.5, "embedding_dropout": 0.5},
]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def engines(directory, model, features=FEATURES, tasks=TASKS):
    manifest = write_model(directory, model, features, tasks)
    write_graph(manifest, directory)
    return TorchEngine.open(directory, manifest), OnnxEngine.open(
        directory, manifest, num_threads=1
    )


def part(rows, start, stop):
    return Inputs(ids_NC=rows.ids_NC[start:stop], numeric_NF=rows.numeric_NF[start:stop])


def assert_same(directory, model, features=FEATURES, tasks=TASKS, rows=ROWS):
    ours, onnx = engines(directory, model, features, tasks)
    expected, found = ours.predict(rows), onnx.predict(rows)
    assert found.keys() == expected.keys()
    assert all(values.dtype == np.float32 for values in found.values())
    assert largest_difference(expected, found, tasks) <= TOLERANCE
    spread = {name: float(np.ptp(values)) for name, values in expected.items()}
    assert min(spread.values()) > 0.01, spread  # or anything would pass
    for num_rows in (1, 2):
        few = onnx.predict(part(rows, 0, num_rows))
        first = {name: values[:num_rows] for name, values in expected.items()}
        assert largest_difference(first, few, tasks) <= TOLERANCE
    # the graph as other programs run it, with a row and with none
    for num_rows in (1, 0):
        few = part(rows, 0, num_rows)
        raw = onnx.session.run(None, {"ids": few.ids_NC, "numbers": few.numeric_NF})
        assert [values.shape for values in raw] == [(num_rows,)] * len(expected)
        found = dict(zip(expected, raw, strict=True))
        first = {name: values[:num_rows] for name, values in expected.items()}
        assert largest_difference(first, found, tasks) <= TOLERANCE


@pytest.mark.parametrize("dependency", ["none", "esmm"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_and_dependency(family, dependency, tmp_path):
    assert_same(tmp_path, small_model(family, dependency=dependency))


@pytest.mark.parametrize("num_levels", [1, 2, 3, 4])
@pytest.mark.parametrize("experts", [(1, 1), (2, 0), (0, 2), (3, 2)])
def test_every_number_of_levels(num_levels, experts, tmp_path):
    shared, own = experts
    assert_same(
        tmp_path,
        small_model("ple", num_levels=num_levels, num_shared_experts=shared, num_task_experts=own),
    )


@pytest.mark.parametrize("knobs", KNOBS, ids=lambda knobs: ",".join(knobs))
@pytest.mark.parametrize("family", ["single_task", "mmoe", "ple"])
def test_every_knob(family, knobs, tmp_path):
    assert_same(tmp_path, small_model(family, **knobs), rows=FEW_ROWS)


@pytest.mark.parametrize("knobs", [{"num_gates": 1}, {"num_shared_experts": 1}])
def test_one_gate_and_no_gate(knobs, tmp_path):
    assert_same(tmp_path, small_model("mmoe", **knobs), rows=FEW_ROWS)


def test_one_task(tmp_path):
    for family in FAMILIES:
        model = small_model(family)
        assert_same(tmp_path, model, tasks=TASKS[:1], rows=FEW_ROWS)


@pytest.mark.parametrize("kinds", [("categorical",), ("numeric",), ("sequence",), ("dense",)])
@pytest.mark.parametrize("encoding", ["standard", "piecewise_linear"])
def test_features_of_one_kind(kinds, encoding, tmp_path):
    only = {kind: getattr(FEATURES, kind) for kind in kinds}
    features = FeatureSchema(tables=FEATURES.tables, **only)
    rows = random_inputs(1_000, features)
    for family in ("single_task", "cgc"):
        model = small_model(family, numeric_encoding=encoding)
        assert_same(tmp_path, model, features, rows=rows)


def test_logits_of_any_size(tmp_path):
    """Probabilities stay numbers where their logits are thousands away from zero, and a float32
    holds them to three digits behind the point."""
    ours, onnx = engines(tmp_path, small_model("shared_bottom"))
    far = dataclasses.replace(ROWS, numeric_NF=ROWS.numeric_NF * 1000)
    expected, found = ours.predict(far), onnx.predict(far)
    for name in ("click", "buy", "buy.joint", "returned.joint"):
        assert np.isfinite(found[name]).all()
        np.testing.assert_allclose(found[name], expected[name], atol=1e-3)


@pytest.mark.parametrize("family", ["single_task", "mmoe", "ple"])
@pytest.mark.parametrize("num_threads", [1, 2])
def test_a_score_does_not_depend_on_the_rows_beside_it(family, num_threads, tmp_path):
    """Bit for bit: what is served alone is what was scored in a file."""
    model = small_model(family, sequence_pooling="attention", dependency="esmm")
    manifest = write_model(tmp_path, model)
    write_graph(manifest, tmp_path)
    onnx = OnnxEngine.open(tmp_path, manifest, num_threads=num_threads)
    together, rows = onnx.predict(ROWS), part(ROWS, 0, 300)
    for size in (1, 2, 7, 100):
        parts = [onnx.predict(part(rows, start, start + size)) for start in range(0, 300, size)]
        for name, values in together.items():
            alone = np.concatenate([one[name] for one in parts])
            np.testing.assert_array_equal(alone, values[:300])
