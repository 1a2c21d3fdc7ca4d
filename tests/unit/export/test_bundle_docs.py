"""What docs/bundle.md says in Python runs as it stands."""

import re
import shutil
from pathlib import Path

from automtl.export.graph.build import OPSET
from automtl.export.pick import pick
from automtl.export.write import export_bundle

DOCUMENT = (Path(__file__).parents[3] / "docs" / "bundle.md").read_text()


def test_its_code_runs_beside_a_bundle(study, run_dir, tmp_path, monkeypatch):
    export_bundle(study, pick(study, "knee"), tmp_path / "bundle", formats="all")
    shutil.copyfile(run_dir.parent / "rows.parquet", tmp_path / "rows.parquet")
    monkeypatch.chdir(tmp_path)
    [code] = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    said = {}
    exec(compile(code, "docs/bundle.md", "exec"), said)
    assert said["scores"].height == said["rows"].height
    assert said["bundle"].engine.name == "onnx"
    told = set(re.findall(r"^\| `([^`]+)` \|", DOCUMENT, re.MULTILINE))
    written = {path.name + "/" * path.is_dir() for path in Path("bundle").iterdir()}
    assert told == written


def test_it_names_the_operator_set():
    assert f"| operator set | {OPSET} " in DOCUMENT
