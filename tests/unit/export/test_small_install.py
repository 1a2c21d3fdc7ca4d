"""Where nothing is installed but `automtl[serve]`: a bundle is scored to the same bytes, and what
needs more says so in one line. `.ci/run` does the same with a real installation.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from automtl import __all__ as public
from automtl.cli.app import app
from automtl.export.predict import predict_file
from automtl.extras import EXTRAS

SPEC = Path(__file__).parents[3] / "search_spaces" / "synthetic.yaml"
LACKING = [name for extra in EXTRAS if extra not in ("onnx", "serve") for name in EXTRAS[extra]]

# a module that is None is one that is not installed, for `import` and for `find_spec`
BEGIN = f"""
import sys
sys.modules.update(dict.fromkeys({LACKING!r}))
"""

COMMANDS = """
import contextlib, io, json
from automtl.cli.app import main

said = {}
for arguments in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code or 0
    said[" ".join(arguments)] = [code, out.getvalue(), err.getvalue()]
print(json.dumps(said))
"""

PYTHON = """
import json
import automtl
import automtl.errors

said = {}
for name in automtl.__all__:
    try:
        found = getattr(automtl, name)
        said[name] = found("spec.yaml") if name == "search" else None
    except ImportError as error:
        said[name] = f"{error}"
        assert isinstance(error, automtl.errors.UserError)
bundle = automtl.load(sys.argv[1])
try:
    bundle.model
except ImportError as error:
    said["model"] = f"{error}"
said["engine"] = bundle.engine.name
print(json.dumps(said))
"""

TORCH = "the package torch is not installed; pip install 'automtl[search]'"


def without_what_searches(program, *arguments):
    """What a program prints, as JSON, where the extra `search` is not installed."""
    command = [sys.executable, "-c", BEGIN + program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# ---- the commands --------------------------------------------------------------------------

NEEDED = {
    "search": [str(SPEC)],
    "confirm": ["RUN"],
    "status": ["RUN"],
    "pareto": ["RUN"],
    "report": ["RUN"],
    "export": ["RUN", "--to", "BUNDLE"],
    "train": ["config.yaml"],
    "fuse": ["RUN", "--score", "click"],
    "doctor": [str(SPEC)],
}
NOT_NEEDED = {"init", "validate", "schema", "completion", "data", "predict", "serve"}


def test_each_command_is_one_or_the_other():
    assert {*NEEDED} | NOT_NEEDED == {*typer.main.get_command(app).commands}


def test_what_needs_more_says_so_in_one_line():
    commands = [[name, *arguments] for name, arguments in NEEDED.items()]
    said = without_what_searches(COMMANDS, json.dumps(commands))
    assert said == {
        " ".join(command): [2, "", f"error: automtl {command[0]}: {TORCH}\n"]
        for command in commands
    }


def test_help_a_spec_and_its_rows_need_no_more(tmp_path):
    (tmp_path / "rows.csv").write_text("user_id,is_click\n1,0\n2,1\n1,1\n")
    spec = str(tmp_path / "spec.yaml")
    commands = [
        ["--help"],
        ["--version"],
        *([name, "--help"] for name in {*NEEDED} | NOT_NEEDED),
        ["init", spec, "--data", str(tmp_path / "rows.csv")],
        ["validate", spec],
        ["validate", str(SPEC), "--json"],
        ["schema"],
        ["completion", "bash"],
        ["data", "clean"],
    ]
    said = without_what_searches(COMMANDS, json.dumps(commands))
    assert {name: one for name, one in said.items() if one[0] != 0 or not one[1]} == {}
    nowhere = [["data", "prepare", "census_income", "nowhere"], ["serve", "nowhere"]]
    for code, _, error in without_what_searches(COMMANDS, json.dumps(nowhere)).values():
        assert (code, "nowhere" in error, "not installed" in error) == (2, True, False), error


def test_files_are_scored_to_the_same_bytes(with_graph, bundle_dir, run_dir, tmp_path):
    rows = str(run_dir.parent / "rows.parquet")
    predict_file(with_graph, rows, tmp_path / "all.parquet", engine="onnx")
    out = ["--out", str(tmp_path / "small.parquet"), "--json"]
    commands = [
        ["predict", str(with_graph), rows, *out],
        ["predict", str(with_graph), rows, *out, "--engine", "torch"],
        ["predict", str(bundle_dir), rows, *out],
        ["predict", str(with_graph), "s3://rows/day.parquet", *out],
    ]
    scored, by_torch, no_graph, remote = without_what_searches(
        COMMANDS, json.dumps(commands)
    ).values()
    assert scored[0] == 0, scored
    assert (tmp_path / "small.parquet").read_bytes() == (tmp_path / "all.parquet").read_bytes()
    asked = f"error: {with_graph}, by torch: {TORCH}, or load it with engine='onnx'\n"
    assert by_torch == [2, "", asked]
    asked = f"error: {bundle_dir}, by torch: {TORCH}, or export it again with --format onnx\n"
    assert no_graph == [2, "", asked]
    assert (remote[0], "pip install 'automtl[remote]'" in remote[2]) == (2, True)


# ---- from Python ---------------------------------------------------------------------------


def test_names_that_need_more_say_so_when_they_are_asked_for(with_graph):
    said = without_what_searches(PYTHON, with_graph)
    assert said.pop("engine") == "onnx"
    assert said.pop("model") == f"{with_graph}, by torch: {TORCH}"
    scoring = {"__version__", "Bundle", "load", "FeatureSchema", "ModelConfig", "TaskSchema"}
    assert {name for name, told in said.items() if told is None} == scoring
    assert {name: told for name, told in said.items() if told is not None} == {
        name: f"automtl.{name}: {TORCH}" for name in {*public} - scoring
    }


@pytest.mark.parametrize("lacking", EXTRAS["onnx"])
def test_without_any_engine_both_ways_out_are_named(with_graph, lacking):
    program = f"""
import json
sys.modules[{lacking!r}] = None
import automtl
try:
    automtl.load(sys.argv[1])
except ImportError as error:
    print(json.dumps(str(error)))
"""
    found = without_what_searches(program, with_graph)
    also = "pip install 'automtl[onnx]' and load it with engine='onnx'"
    assert found == f"{with_graph}, by torch: {TORCH}, or {also}"
