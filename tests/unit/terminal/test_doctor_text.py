"""What people see of a checkup, and what the command returns."""

import json

import polars as pl
import pytest
from support.golden import check
from support.planned import PLANNED
from support.sick import FEATURES, checkup, healthy

from automtl.cli.app import main
from automtl.terminal.doctor_text import checkup_text

SPEC = """\
version: 1
name: tiny
data:
  path: rows.parquet
  split: {column: split}
  categorical: [item_id, tag]
tasks:
  click: {label: click}
  buy: {label: buy, given: click}
objectives: [click.auc, params]
space:
  sharing:
    - {family: shared_bottom}
  embedding_dim: 4
  expert_dims: [8]
  tower_dims: []
search: {trials: 6}
trial: {device: cpu}
"""


@pytest.fixture(scope="module")
def sick(tmp_path_factory):
    """A table with a fault of each severity."""
    frame = healthy().with_columns(
        answer=pl.col("click") + 1,
        always=pl.lit("x"),
        spend=pl.col("price").exp(),
    )
    data = {"categorical": [*FEATURES["categorical"], "answer", "always"]}
    tasks = {
        "click": {"label": "click"},
        "buy": {"label": "buy", "given": "click"},
        "spend": {"label": "spend", "type": "regression"},
    }
    data["numeric"] = []
    return checkup(frame, tmp_path_factory.mktemp("sick"), data=data, tasks=tasks)


def test_a_checkup_as_text(sick):
    shown = checkup_text(sick, PLANNED, color=False, width=80)
    check("doctor.txt", shown)
    assert all(len(line) <= 100 for line in shown.splitlines())


def test_severities_have_colours_on_a_terminal(sick):
    assert "\x1b[1;31merror\x1b[0m  data.categorical: answer" in checkup_text(
        sick, PLANNED, color=True
    )
    assert "\x1b" not in checkup_text(sick, PLANNED)


@pytest.fixture
def doctor(tmp_path, monkeypatch, capsys):
    """`automtl doctor` over rows and a spec -> (exit code, stdout)."""
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("automtl.search.dry_run.BURST_S", 0.05)

    def call(frame, *arguments, spec=SPEC):
        frame.write_parquet(tmp_path / "rows.parquet")
        (tmp_path / "spec.yaml").write_text(spec)
        with pytest.raises(SystemExit) as end:
            main(["doctor", str(tmp_path / "spec.yaml"), *arguments])
        return end.value.code or 0, capsys.readouterr().out

    return call


def test_nothing_worse_than_a_warning_is_code_0(doctor):
    code, out = doctor(healthy())
    assert code == 0
    assert out.startswith("checkup    tiny\n")
    assert "ms for 1,024 rows" in out
    assert "search  " in out


def test_an_error_is_code_1_and_json_says_which(doctor):
    leaking = healthy().with_columns(tag=pl.col("click"))
    code, out = doctor(leaking, "--json", "--workers", "3")
    found = json.loads(out)
    assert code == 1
    assert found["usable"] is False
    assert found["findings"][0]["place"] == "data.categorical: tag"
    assert found["time"]["workers"] == 3
    assert found["time"]["step_ms"]["shared_bottom"] > 0
    low, high = found["time"]["seconds"]
    assert 0 < low <= high


def test_rows_that_cannot_be_encoded_are_code_2(doctor):
    code, _ = doctor(healthy().with_columns(click=pl.lit(1)))
    assert code == 2


def test_a_search_over_a_leak_does_not_start(doctor, tmp_path, capsys):
    doctor(healthy().with_columns(tag=pl.col("click")))
    run = tmp_path / "run"
    with pytest.raises(SystemExit) as end:
        main(["search", str(tmp_path / "spec.yaml"), "--executor", "local", "--out", str(run)])
    assert end.value.code == 2
    assert "tells click without an exception" in capsys.readouterr().err
    assert not run.exists()
