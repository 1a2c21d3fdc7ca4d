"""The README is true: it has exactly the two commands, and its tour runs as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from automtl.fusion.parse import parse
from automtl.spec.load import parse_document
from automtl.spec.schema import Spec

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(text: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_first_screen_holds_exactly_two_commands():
    before_tour = README.split("\n## A 60-second tour\n")[0]
    main, test = blocks(before_tour)
    assert "automtl search search_spaces/kuairand.yaml" in main
    assert test.strip().endswith("pytest")


@pytest.mark.slow
def test_the_tour_runs(tmp_path):
    (tmp_path / "search_spaces").symlink_to(ROOT / "search_spaces")
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AUTOMTL_CACHE": str(tmp_path / "cache"),
    }
    script = "set -euo pipefail\n" + "\n".join(blocks(section("A 60-second tour")))
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "reports/tour/report.html").stat().st_size > 1_000_000
    assert "suggested" in done.stdout


def test_links_between_documents_lead_somewhere():
    for document in [*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("search_spaces/*/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document}: {target}"


def test_scores_in_the_documents_are_of_what_kuairand_has():
    """Predictions and columns of the first command's run; one letter is free."""
    names = ["click", "long_view", "p_click", "p_long_view", "p_long_view_and_click", "duration_ms"]
    scores = re.findall(r'--score "([^"]+)"', (ROOT / "docs" / "fusion.md").read_text())
    assert scores
    for score in scores:
        parse(score, names)


@pytest.mark.parametrize(
    "document",
    ["README.md", "docs/confirm.md", "docs/data.md", "docs/search.md", "docs/training.md"],
)
def test_pieces_of_specs_in_the_documents_are_valid(document):
    """Each, put into the spec of KuaiRand."""
    path = ROOT / "search_spaces" / "kuairand.yaml"
    fragments = re.findall(r"```yaml\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
    assert fragments
    for fragment in fragments:
        whole = dict(parse_document(path.read_text(), str(path)).raw)
        given = dict(parse_document(fragment, document).raw)
        given["space"] = {"sharing": [{"family": "mmoe", "num_shared_experts": 4}]} | given.get(
            "space", {}
        )
        if "data" in given:
            rows = {key: whole["data"][key] for key in ("path", "split")}
            given["data"] = rows | given["data"]
        Spec.from_dict(whole | given, base_dir=path.parent, check_files=True)
