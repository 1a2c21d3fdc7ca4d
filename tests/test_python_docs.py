"""docs/python.md and the notebook are true: every block of them runs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


@pytest.mark.slow
def test_every_block_of_the_python_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "python.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 6
    names = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    assert names["page"].stat().st_size > 100_000
    assert names["scores"].height == names["frame"].height
    assert names["final"].manifest.trained_on == "train+valid"
    assert names["logits"].shape == (256, 2)
    assert "['buy', 'buy.joint', 'click', 'spend']" in capsys.readouterr().out


def test_the_notebook_holds_no_outputs():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert all(not cell.get("outputs") for cell in cells)


RUN = """
import sys
import nbformat
from nbclient import NotebookClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

notebook = nbformat.read(sys.argv[1], as_version=4)
manager = AsyncKernelManager(kernel_name="python3")
# whichever kernels are installed: that of this Python, which has what is tested
manager._kernel_spec = KernelSpecManager(ensure_native_kernel=True).get_kernel_spec("python3")
manager._kernel_spec.argv[0] = sys.executable
NotebookClient(notebook, km=manager, timeout=600).execute()
nbformat.write(notebook, "executed.ipynb")
"""


@pytest.mark.slow
def test_the_notebook_runs(tmp_path):
    """In a process of its own: who runs notebooks leaves sockets and warnings behind."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(NOTEBOOK)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    shown = [
        output["data"]
        for cell in json.loads((tmp_path / "executed.ipynb").read_text())["cells"]
        for output in cell.get("outputs", ())
        if "data" in output
    ]
    assert "suggested" in "".join(shown[0]["text/html"]), "the study shows itself"
    assert any("application/vnd.plotly.v1+json" in data for data in shown), "and its figure"
    assert (tmp_path / "runs" / "knee" / "bundle.json").is_file()
