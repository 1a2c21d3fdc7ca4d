"""The documents are true: links lead somewhere, commands parse, specs are valid, code runs."""

import ast
import os
import re
import shutil
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path

import pytest
import typer
from support.documents import DOCUMENTS, ROOT, anchors, blocks, commands, links
from typer.main import get_command

from automtl import errors
from automtl.cli.app import app
from automtl.fusion.parse import parse
from automtl.spec.load import parse_document
from automtl.spec.schema import Spec

README = (ROOT / "README.md").read_text()
EXTEND = ROOT / "docs" / "extend.md"
ERRORS = (ROOT / "docs" / "errors.md").read_text()
EVERY = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


# ---- the front door ------------------------------------------------------------------------


def test_the_first_screen_holds_exactly_two_commands():
    main, test = blocks(README.split("\n## A 60-second tour\n")[0], "sh")
    assert "automtl search search_spaces/kuairand.yaml" in main.content
    assert ".venv/bin/pytest" in test.content


@pytest.mark.slow
def test_the_tour_runs(tmp_path):
    (tmp_path / "search_spaces").symlink_to(ROOT / "search_spaces")
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AUTOMTL_CACHE": str(tmp_path / "cache"),
    }
    tour = (block.content for block in blocks(section("A 60-second tour"), "sh"))
    done = subprocess.run(
        ["bash", "-c", "set -euo pipefail\n" + "\n".join(tour)],
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


# ---- every document ------------------------------------------------------------------------


@EVERY
def test_links_and_images_lead_somewhere(path):
    for link in links(path.read_text()):
        if "://" in link or link.startswith("mailto:"):
            continue
        target, _, anchor = link.partition("#")
        there = path.parent / target if target else path
        assert there.exists(), link
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there.read_text()), link


def test_the_index_names_every_document():
    index = ROOT / "docs" / "README.md"
    named = {(index.parent / link.partition("#")[0]).resolve() for link in links(index.read_text())}
    assert {path.resolve() for path in index.parent.glob("*.md")} - {index.resolve()} <= named


@EVERY
def test_commands_are_those_of_the_command_line(path):
    for words, line in commands(path.read_text()):
        try:
            parse_command(words)
        except typer.Exit:
            pass
        except Exception as error:
            pytest.fail(f"{path}:{line} automtl {' '.join(words)}: {error}")


def parse_command(words):
    """Reads the arguments and options of a command or sub-command, and calls nothing."""
    command = get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command, *words = command.commands[words[0]], *words[1:]
    if hasattr(command, "commands") and words and words[0][0] != "-":
        raise ValueError(f"there is no command {words[0]}")
    command.make_context("automtl", words)


@EVERY
def test_pieces_of_specs_are_valid(path):
    """Each, put into the spec of KuaiRand; YAML that is no piece of a spec is only read."""
    kuairand = ROOT / "search_spaces" / "kuairand.yaml"
    for block in blocks(path.read_text(), "yaml"):
        given = dict(parse_document(block.content, f"{path}:{block.line}").raw)
        if not given.keys() & Spec.model_fields.keys():
            continue
        whole = dict(parse_document(kuairand.read_text(), str(kuairand)).raw)
        sharing = {"sharing": [{"family": "mmoe", "num_shared_experts": 4}]}
        given["space"] = sharing | given.get("space", {})
        if "data" in given:
            given["data"] = {key: whole["data"][key] for key in ("path", "split")} | given["data"]
        Spec.from_dict(whole | given, base_dir=kuairand.parent, check_files="data" not in given)


def test_scores_in_the_documents_are_of_what_kuairand_has():
    """Predictions and columns of the first command's run; one letter is free."""
    names = ["click", "long_view", "p_click", "p_long_view", "p_long_view_and_click", "duration_ms"]
    scores = [
        words[words.index("--score") + 1]
        for path in DOCUMENTS
        for words, _ in commands(path.read_text())
        if "--score" in words
    ]
    assert scores
    for score in scores:
        parse(score, names)


# ---- code ----------------------------------------------------------------------------------


@EVERY
def test_code_compiles_and_imports_what_there_is(path):
    found = [ast.parse(block.content) for block in blocks(path.read_text(), "python")]
    imports = {
        ast.unparse(node)
        for tree in found
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    if imports:
        execute("\n".join(sorted(imports)), ROOT)


def execute(code, package):
    """stdout of `code`, run with `package` (the parent of automtl/) in front of the path."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=package,
        env=os.environ | {"PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@EVERY
def test_code_with_its_output_below_prints_just_that(path, tmp_path):
    """A python block that a text block follows. Changes above it are made to a copy first."""
    text = path.read_text()
    package, every = ROOT, blocks(text)
    for block, following in zip_longest(every, every[1:]):
        if block.language == "diff":
            if package == ROOT:
                package = tmp_path
                ignore = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / "automtl", tmp_path / "automtl", ignore=ignore)
            apply = ["git", "apply", "-"]
            subprocess.run(apply, cwd=tmp_path, input=block.content, text=True, check=True)
        if block.language == "python" and following and following.language == "text":
            assert execute(block.content, package) == following.content


# ---- errors --------------------------------------------------------------------------------


def error_classes(of=errors.AutomtlError):
    yield of
    for below in of.__subclasses__():
        yield from error_classes(below)


def test_every_error_has_a_section():
    names = {one.__name__ for one in error_classes() if one.__module__ == errors.__name__}
    assert set(re.findall(r"^## (\w+)$", ERRORS, re.MULTILINE)) == names


def test_the_messages_are_those_that_the_program_writes():
    """The first column of the tables, whose … stands for whatever varies."""
    source = "\n".join(path.read_text() for path in (ROOT / "automtl").rglob("*.py"))
    joined = re.sub(r'"\s*\n?\s*f?"', "", source)  # strings over several lines
    messages = re.findall(r"^\| `([^`]+)`", ERRORS, re.MULTILINE)
    parts = [part.strip(" :,;") for message in messages for part in message.split("…")]
    assert len(messages) > 30
    assert [part for part in parts if part not in joined] == []
