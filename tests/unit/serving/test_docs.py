"""docs/serving.md: its requests get its answers, and its commands have the options it names."""

import json
import re
from pathlib import Path

import pytest

from automtl.cli.app import main

TEXT = (Path(__file__).parents[3] / "docs" / "serving.md").read_text()
COMMANDS = re.findall(r"automtl (predict|serve) ([^\n]*)", TEXT)


def test_requests_and_answers(served):
    by_rows, scores, by_columns, wrong, error = (
        json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    )
    service = served()
    answer = service.score(by_rows).json()
    assert [list(row) for row in answer["scores"]] == [list(row) for row in scores["scores"]]
    assert service.score(by_columns).json() == answer
    refused = service.score(wrong)
    assert refused.status_code == 422
    assert refused.json() == error


@pytest.mark.parametrize("command", ["predict", "serve"])
def test_options(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    used = {option for name, rest in COMMANDS for option in _options(rest) if name == command}
    assert used
    assert used <= known
    named = {option for option in _options(TEXT) if option.startswith("--m")}
    assert not named - {"--max-rows", "--max-body-mb", "--missing-ok"}


def _options(text):
    return re.findall(r"--[a-z][a-z-]+", text)
