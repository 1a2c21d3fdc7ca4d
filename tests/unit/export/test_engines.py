"""A bundle is scored without what trained it; who computes is asked for, or found."""

import json
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from automtl.errors import BundleError, DataError, MissingPackageError, RunError
from automtl.export.bundle import Bundle
from automtl.export.compare import TOLERANCE
from automtl.export.graph.build import OPSET
from automtl.export.pick import pick
from automtl.export.write import export_bundle

HEAVY = {"torch", "ray", "optuna", "pandas", "plotly", "scipy", "sklearn", "moocore", "onnxscript"}
HEAVY |= {"numba"}

SCORE = """
import sys
import polars as pl
from automtl.export.bundle import Bundle
print(*sorted(sys.modules.keys() & {early!r}))
bundle = Bundle.load({directory!r})
bundle.predict(pl.read_parquet({rows!r})).write_parquet({out!r})
print(bundle.engine.name, *sorted(sys.modules.keys() & {heavy!r}))
"""


def without_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)


# ---- torch and ONNX Runtime ----------------------------------------------------------------


def test_both_engines_give_the_same_scores(with_graph, rows):
    by_torch = Bundle.load(with_graph, engine="torch").predict(rows)
    by_onnx = Bundle.load(with_graph, engine="onnx").predict(rows)
    assert by_onnx.schema == by_torch.schema
    assert_frame_equal(by_onnx, by_torch, abs_tol=TOLERANCE, rel_tol=TOLERANCE)


def test_the_graph_is_named_described_and_has_no_weights(with_graph, bundle):
    manifest = Bundle.load(with_graph).manifest
    proto = onnx.load(with_graph / "model.onnx", load_external_data=False)
    assert [one.name for one in proto.graph.input] == ["ids", "numbers"]
    assert [one.name for one in proto.graph.output] == [one.name for one in manifest.outputs]
    assert [one.version for one in proto.opset_import] == [OPSET] == [manifest.onnx.opset]
    assert manifest.onnx.rows_compared > 100
    assert manifest.onnx.largest_difference <= TOLERANCE
    assert "model.onnx" in manifest.checksums
    assert (with_graph / "model.onnx").stat().st_size < 100_000
    files = {one.value for tensor in proto.graph.initializer for one in tensor.external_data[:1]}
    assert files == {"model.safetensors"}
    assert bundle.manifest.onnx is None


def test_the_graph_is_valid_for_any_runtime(with_graph, rows):
    """By the standard's own checker; and a plain session of a plain file gives our scores."""
    onnx.checker.check_model(str(with_graph / "model.onnx"), full_check=True)
    bundle = Bundle.load(with_graph)
    inputs = bundle.encode(rows)
    session = onnxruntime.InferenceSession(str(with_graph / "model.onnx"))
    scores = session.run(None, {"ids": inputs.ids_NC, "numbers": inputs.numeric_NF})
    for name, values in zip(bundle.predict(rows).columns, scores, strict=True):
        np.testing.assert_allclose(values, bundle.predict(rows)[name].to_numpy(), rtol=1e-6)


def test_auto_takes_onnx_where_there_is_a_graph_and_the_extra(with_graph, bundle_dir, monkeypatch):
    assert Bundle.load(with_graph).engine.name == "onnx"
    assert Bundle.load(bundle_dir).engine.name == "torch"
    without_extra(monkeypatch)
    assert Bundle.load(with_graph).engine.name == "torch"


def test_an_engine_that_is_not_there_is_an_error(with_graph, bundle_dir, monkeypatch):
    with pytest.raises(BundleError, match="has no ONNX graph; export it again with --format onnx"):
        Bundle.load(bundle_dir, engine="onnx")
    with pytest.raises(BundleError, match="choose auto, torch or onnx"):
        Bundle.load(bundle_dir, engine="tvm")
    without_extra(monkeypatch)
    with pytest.raises(
        MissingPackageError, match=r"pip install 'automtl\[onnx\]', or load it with"
    ):
        Bundle.load(with_graph, engine="onnx")


def test_a_graph_is_not_promised_without_the_extra(study, tmp_path, monkeypatch):
    without_extra(monkeypatch)
    with pytest.raises(MissingPackageError, match=r"^--format all: .* 'automtl\[onnx\]'$"):
        export_bundle(study, pick(study, "knee"), tmp_path / "out", formats="all")
    assert not list(tmp_path.iterdir())


def test_a_graph_that_scores_otherwise_is_not_handed_out(study, tmp_path, monkeypatch):
    monkeypatch.setattr("automtl.export.compare.TOLERANCE", -1.0)
    with pytest.raises(RunError, match=r"predictions are up to .* away from torch's"):
        export_bundle(study, pick(study, "knee"), tmp_path / "out", formats="onnx")
    assert not list(tmp_path.iterdir())


def test_the_module_is_there_whoever_computes(with_graph, rows):
    bundle = Bundle.load(with_graph, engine="onnx")
    inputs = bundle.encode(rows.head(5))
    model = bundle.model
    import torch

    found = model.predict(torch.from_numpy(inputs.ids_NC), torch.from_numpy(inputs.numeric_NF))
    expected = bundle.predict(rows.head(5))["p_click"].to_numpy()
    np.testing.assert_allclose(found["click"].numpy(), expected, atol=TOLERANCE)


# ---- without what trained it ---------------------------------------------------------------


def test_scoring_imports_nothing_of_the_training_stack(with_graph, run_dir, rows, tmp_path):
    program = SCORE.format(
        early={*HEAVY, "onnx", "onnxruntime"},
        heavy=HEAVY,
        directory=str(with_graph),
        rows=str(run_dir.parent / "rows.parquet"),
        out=str(tmp_path / "scores.parquet"),
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "\nonnx\n"
    scores = pl.read_parquet(tmp_path / "scores.parquet")
    assert_frame_equal(scores, Bundle.load(with_graph, engine="onnx").predict(rows))


# ---- rows of other libraries ---------------------------------------------------------------


def test_frames_of_pandas_and_arrow_give_the_same_scores(bundle, rows):
    expected = bundle.predict(rows)
    for table in (rows.to_pandas(), rows.to_arrow(), rows.lazy()):
        assert_frame_equal(bundle.predict(table), expected)
    of_several_types = [1, *["x"] * (rows.height - 1)]  # in a column that no model reads
    assert_frame_equal(bundle.predict(rows.to_pandas().assign(other=of_several_types)), expected)
    with pytest.raises(DataError, match="int is no table"):
        bundle.predict(7)


def test_the_manifest_says_how_long_lists_are(bundle):
    plain = json.loads((bundle.directory / "bundle.json").read_text())
    kinds = {one["name"]: (one["kind"], one["length"]) for one in plain["inputs"]}
    assert kinds["history"] == ("sequence", 3)
    assert kinds["x0"] == ("numeric", None)
