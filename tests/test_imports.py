"""Commands that only look must not wait for the heavy libraries, and layers only import down."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "ray", "pandas", "plotly", "polars", "numba"}
SPEC = ROOT / "search_spaces" / "synthetic.yaml"

PROGRAM = """
import sys
from automtl.cli.app import main
try:
    main({arguments!r})
except SystemExit as end:
    assert end.code in (None, 0, 1), end.code
print(*sorted({heavy!r} & sys.modules.keys()), file=sys.stderr)
"""


def imported_by(*arguments: str) -> set[str]:
    """Which of the heavy libraries a command has imported when it ends."""
    program = PROGRAM.format(arguments=list(arguments), heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())  # notes of the command stand before


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A study on disk in which no trial has started."""
    from automtl.spec.load import load_spec
    from automtl.study_writer import create_study

    class Data:
        directory = Path("/cache")
        fingerprint = "f" * 64

    run_dir = tmp_path_factory.mktemp("reports") / "synthetic"
    create_study(run_dir, load_spec(SPEC), Data())
    return run_dir


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["search", "--help"], ["schema"], ["validate", str(SPEC)]],
    ids=" ".join,
)
def test_a_spec_is_looked_at_without_heavy_libraries(arguments):
    assert imported_by(*arguments) == set()


def test_the_head_of_a_file_is_looked_at_without_heavy_libraries():
    spec = ROOT / "search_spaces" / "kuairand.yaml"
    changed = ["data.split={random: true}", "data.dense=[play_time_ms]"]
    asked = [part for one in changed for part in ("--set", one)]
    assert imported_by("validate", str(spec), *asked) == set()


def test_a_study_is_looked_at_without_heavy_libraries(run):
    assert imported_by("status", str(run)) == set()
    assert imported_by("pareto", str(run), "--json") == set()


def test_a_report_that_looks_inside_nothing_needs_no_torch(run):
    assert imported_by("report", str(run)) == {"pandas", "plotly"}


def test_importing_the_package_imports_nothing_heavy():
    program = "import sys, automtl; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert not {*HEAVY, "optuna", "numpy", "pydantic"} & set(done.stdout.split())


ENCODE = """
import sys
import polars as pl
from automtl.data.cache import open_data
from automtl.spec.schema import Spec

rows = {"id": [1, 2, None, 4] * 9, "text": ["a", None, "b", "c"] * 9, "x": [0.5, 2.0, 1.0] * 12}
sides = ["train", "train", "valid", "test", "valid", "train"] * 6
rows |= {"click": [0, 1, 1, 0] * 9, "split": sides}
pl.DataFrame(rows).write_parquet(sys.argv[1] + "/rows.parquet")
open_data(Spec.from_dict({
    "version": 1,
    "name": "few",
    "data": {
        "path": sys.argv[1] + "/rows.parquet",
        "cache": sys.argv[1] + "/cache",
        "split": {"column": "split"},
        "categorical": ["id", "text"],
        "numeric": ["x"],
    },
    "tasks": {"click": {"label": "click"}},
    "objectives": ["click.auc"],
    "space": {"sharing": [{"family": "shared_bottom"}]},
}))
assert not {"pandas", "numba"} & set(sys.modules)
"""


def test_few_rows_are_encoded_without_pandas_and_numba(tmp_path):
    command = [sys.executable, "-c", ENCODE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


LINTER = shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or shutil.which(
    "lint-imports"
)


@pytest.mark.skipif(LINTER is None, reason="import-linter comes with the extra `dev`")
def test_imports_go_down_only():
    done = subprocess.run([LINTER, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
