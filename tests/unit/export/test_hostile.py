"""Bundles made to do harm: each is refused with a BundleError, and nothing of it is run.

Checksums are no help here: who changes a file can write its checksum too.
"""

import json
import shutil
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from safetensors.numpy import load_file, save_file

from automtl.errors import BundleError
from automtl.export.bundle import Bundle
from automtl.export.manifest import checksums
from automtl.export.pick import pick
from automtl.export.write import export_bundle

ENGINES = ("torch", "onnx")


@pytest.fixture(scope="module")
def sound(study, tmp_path_factory):
    target = tmp_path_factory.mktemp("out") / "knee"
    return export_bundle(study, pick(study, "knee"), target, formats="all")


@pytest.fixture
def hostile(sound, tmp_path):
    """A copy of a sound bundle, to be spoiled."""
    return Path(shutil.copytree(sound, tmp_path / "bundle"))


def seal(directory, **changes):
    """Makes every checksum fit again."""
    plain = json.loads((directory / "bundle.json").read_text()) | changes
    plain["checksums"] = checksums(directory)
    (directory / "bundle.json").write_text(json.dumps(plain))


def assert_refused(directory, message, engines=ENGINES):
    for engine in engines:
        with pytest.raises(BundleError, match=message):
            Bundle.load(directory, engine=engine)


# ---- the weights ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header_bytes", [2**63, 2**40, 10**9, 0], ids=["huge", "beyond the file", "large", "none"]
)
def test_a_header_of_another_size_than_it_says(hostile, header_bytes):
    path = hostile / "model.safetensors"
    path.write_bytes(struct.pack("<Q", header_bytes) + path.read_bytes()[8:])
    seal(hostile)
    assert_refused(hostile, "damaged weights|not the weights")


@pytest.mark.parametrize("keep", [0, 4, 8, 100, -4])
def test_a_truncated_file(hostile, keep):
    path = hostile / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    seal(hostile)
    assert_refused(hostile, "damaged weights|not the weights")


def respan(path, name, offsets=None, shape=None):
    """Writes other words about one tensor into the header, the data as it was."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    header[name] |= {"data_offsets": offsets} if offsets else {}
    header[name] |= {"shape": shape} if shape else {}
    told = json.dumps(header).encode()
    told += b" " * (-len(told) % 8)
    path.write_bytes(struct.pack("<Q", len(told)) + told + content[8 + size :])


@pytest.mark.parametrize(
    "words",
    [
        {"offsets": [0, 2**50]},
        {"offsets": [2**50, 2**50 + 64]},
        {"offsets": [64, 0]},
        {"shape": [2**40, 2**40]},
    ],
)
def test_a_tensor_that_lies_elsewhere(hostile, words):
    respan(hostile / "model.safetensors", "embedding.weights.0", **words)
    seal(hostile)
    assert_refused(hostile, "damaged weights|not the weights")


def shorter(state):
    state["embedding.weights.0"] = state["embedding.weights.0"][:-1]


def turned(state):
    state["embedding.weights.0"] = np.ascontiguousarray(state["embedding.weights.0"].T)


def doubled(state):
    state["embedding.weights.0"] = state["embedding.weights.0"].astype(np.float64)


def not_finite(state):
    state["towers.weights.0"][..., 0] = np.inf


def without(state):
    del state["towers.weights.0"]
    state["padding"] = np.zeros(100_000, dtype=np.float32)


def with_more(state):
    state["trunk.more"] = np.zeros(3, dtype=np.float32)


@pytest.mark.parametrize("spoil", [shorter, turned, doubled, not_finite, without, with_more])
def test_tensors_of_another_model(hostile, spoil):
    path = hostile / "model.safetensors"
    state = load_file(path)
    spoil(state)
    save_file(state, path)
    seal(hostile)
    assert_refused(hostile, "not the weights of the model described beside it")


# ---- the graph -----------------------------------------------------------------------------


def regraph(directory, change):
    proto = onnx.load(directory / "model.onnx", load_external_data=False)
    change(proto)
    (directory / "model.onnx").write_bytes(proto.SerializeToString())
    seal(directory)


def weights_outside(proto):
    for entry in proto.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = "../../../../../../etc/passwd"


def weights_beyond(proto):
    for tensor in proto.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "offset":
                entry.value = str(2**62)


def weights_of_another_place(proto):
    """Inside the file, aligned, of the right size: and yet not where the model has them."""
    entries = {entry.key: entry for entry in proto.graph.initializer[0].external_data}
    entries["offset"].value = str(int(entries["offset"].value) + 4)


def custom_operator(proto):
    proto.graph.node[0].domain = "com.evil"
    proto.opset_import.add(domain="com.evil", version=1)


def endless_loop(proto):
    name = proto.graph.output[0].name
    condition = helper.make_tensor("go", TensorProto.BOOL, [], [True])
    body = helper.make_graph(
        [helper.make_node("Identity", ["in"], ["out"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("in", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("out", TensorProto.BOOL, [])],
    )
    proto.graph.initializer.append(condition)
    proto.graph.node.append(helper.make_node("Loop", ["", "go"], [], f"{name}:loop", body=body))


def a_function(proto):
    proto.functions.add(name="F", domain="local")


def more_memory_than_there_is(proto):
    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [2**50])
    proto.graph.initializer.append(shape)
    proto.graph.node.append(helper.make_node("ConstantOfShape", ["shape"], ["huge"]))


def outputs_changed_about(proto):
    first, second = proto.graph.output[0].name, proto.graph.output[1].name
    for node in proto.graph.node:
        swap = {first: second, second: first}
        node.output[:] = [swap.get(name, name) for name in node.output]


def other_operator_set(proto):
    proto.opset_import[0].version = 13


def of_another_model(proto):
    for entry in proto.metadata_props:
        entry.value = "0" * 64


@pytest.mark.parametrize(
    "change",
    [
        weights_outside,
        weights_beyond,
        weights_of_another_place,
        custom_operator,
        endless_loop,
        a_function,
        more_memory_than_there_is,
        outputs_changed_about,
        other_operator_set,
        of_another_model,
    ],
    ids=lambda change: change.__name__,
)
def test_a_graph_that_is_not_the_models_own(hostile, change):
    regraph(hostile, change)
    assert_refused(hostile, "not the graph of the model described beside it", engines=["onnx"])
    Bundle.load(hostile, engine="torch")  # which does not read it


@pytest.mark.parametrize("content", [b"", b"\xff" * 1000, b"not a graph", None])
def test_a_damaged_graph(hostile, content):
    path = hostile / "model.onnx"
    path.write_bytes(path.read_bytes()[:-10] if content is None else content)
    seal(hostile)
    assert_refused(hostile, "damaged|foreign", engines=["onnx"])


def test_a_graph_too_large_to_be_one(hostile):
    with (hostile / "model.onnx").open("r+b") as file:
        file.truncate(65 * 2**20)
    seal(hostile)
    assert_refused(hostile, "too large for a graph", engines=["onnx"])


def test_a_graph_of_a_later_version(hostile):
    plain = json.loads((hostile / "bundle.json").read_text())
    seal(hostile, onnx=plain["onnx"] | {"version": 99})
    assert_refused(hostile, "a graph of version 99, this automtl makes 1", engines=["onnx"])


def test_a_graph_that_is_promised_and_missing(hostile):
    (hostile / "model.onnx").unlink()
    seal(hostile)
    assert_refused(hostile, "damaged", engines=["onnx"])


# ---- the words about them ------------------------------------------------------------------


def test_outputs_that_are_not_the_models(hostile):
    plain = json.loads((hostile / "bundle.json").read_text())
    plain["outputs"][0]["prediction"] = "nothing"
    seal(hostile, outputs=plain["outputs"])
    assert_refused(hostile, "outputs")


def test_a_manifest_as_large_as_a_model(hostile):
    with (hostile / "bundle.json").open("a") as file:
        file.write(" " * 17 * 2**20)
    assert_refused(hostile, "too large for a manifest")


@pytest.mark.parametrize("value", ["1" * 5000, "1e999", "NaN", '{"a":' * 5000, '"\\ud800"'])
def test_json_that_python_stumbles_over(hostile, value):
    for name in ("bundle.json", "encoder/encoder.json"):
        before = (hostile / name).read_text()
        (hostile / name).write_text(before.replace("{", f'{{"more": {value},', 1))
        if name != "bundle.json":
            seal(hostile)
        with suppress(BundleError):  # or it loads, as what is not known is ignored
            Bundle.load(hostile)
        (hostile / name).write_text(before)


def change_task(number, **words):
    def change(plain):
        plain["tasks"][number] |= words

    return change


def no_numbers(plain):
    plain["scalings"] = []


def long_sequence(plain):
    plain["features"]["sequence"][0]["max_len"] = 10**12


def no_sequence(plain):
    plain["features"]["sequence"][0]["max_len"] = 0


def table_of_nobody(plain):
    plain["features"]["sequence"][0]["table"] = "nobody"


def words_for_numbers(plain):
    plain["hashed"] = ["user_id"]


@pytest.mark.parametrize(
    "change",
    [
        change_task(0, given="buy"),
        change_task(1, given="nobody"),
        change_task(1, name="click"),
        change_task(2, std=float("inf")),
        no_numbers,
        long_sequence,
        no_sequence,
        table_of_nobody,
        words_for_numbers,
    ],
    ids=["cycle", "no such task", "twice", "no unit", "fewer", "long", "empty", "keys", "words"],
)
def test_features_and_tasks_that_cannot_be(hostile, change):
    """The same words in the manifest and in the encoder, so that they agree."""
    path = hostile / "encoder" / "encoder.json"
    encoder = json.loads(path.read_text())
    change(encoder)
    path.write_text(json.dumps(encoder))
    seal(hostile, features=encoder["features"], tasks=encoder["tasks"])
    assert_refused(hostile, "damaged|not the weights|foreign")


@pytest.mark.parametrize("keep", [0, 10, -20])
def test_truncated_vocabularies(hostile, keep):
    path = hostile / "encoder" / "vocabularies.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    seal(hostile)
    assert_refused(hostile, "damaged: ")


def test_a_link_that_leads_outside(hostile, tmp_path):
    weights = hostile / "model.safetensors"
    shutil.move(weights, tmp_path / "elsewhere")
    weights.symlink_to(tmp_path / "elsewhere")
    assert_refused(hostile, "is a link")
