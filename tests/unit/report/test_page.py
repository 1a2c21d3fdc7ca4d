import json
import re
from html.parser import HTMLParser

import pytest
from support.study import StudyOfRecords, make_record, make_spec, make_study

from automtl.errors import RunError
from automtl.report import figures
from automtl.report.page import render_report, write_report
from automtl.space import fixed_spec
from automtl.spec.load import dump_yaml, load_spec

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def _small_plotly(monkeypatch):
    monkeypatch.setattr(figures, "plotly_js", lambda: "/* plotly */")


def payload(page):
    return json.loads(re.search(r'id="data" type="application/json">(.*?)</script>', page)[1])


class Page(HTMLParser):
    """Counts the elements and collects the text outside of scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.words, self.open = {}, [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.open = tag

    def handle_data(self, data):
        if self.open not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def test_the_first_sentence_says_what_was_searched_and_what_is_suggested():
    study = make_study(24)
    seen = Page(render_report(study)).text
    assert "25 trials over 7 model families, with and without ESMM, in 6m20s" in seen
    assert f"{len(study.front())} trials make up the Pareto front" in seen
    assert f"Suggested: {study.knee().id}" in seen
    assert "best model" not in seen


def test_it_is_one_file_that_asks_nothing_of_a_network():
    page = render_report(make_study(24))
    assert not re.search(r'(src|href)="(?!#)', page)
    assert not re.search(r"@import|url\(", page)
    assert page.count("/* plotly */") == 1


def test_every_complete_trial_has_a_row_and_a_yaml_that_runs(tmp_path):
    study = make_study(24)
    data = payload(render_report(study))
    complete = [record for record in study.trials() if record.state == "complete"]
    assert {int(number) for number in data["trials"]} == {record.number for record in complete}
    for record in complete[:3]:
        trial = data["trials"][str(record.number)]
        yaml = data["yaml"]["head"] + trial["yaml"] + data["yaml"]["tail"]
        assert yaml == dump_yaml(fixed_spec(study.spec, record.config))
        (tmp_path / "trial.yaml").write_text(yaml)
        spec = load_spec(tmp_path / "trial.yaml", check_files=False)
        assert spec.space.families == (record.config.model.family,)
    assert len(data["yaml"]["head"]) > 200  # what all share is there once


def test_the_table_begins_with_the_front_then_the_reference():
    study = make_study(24)
    rows = re.findall(r'<tr data-number="(\d+)" class="(\w+)"', render_report(study))
    front = [(str(record.number), "front") for record in study.front()]
    assert rows[: len(front)] == front
    assert rows[len(front)] == (str(study.reference().number), "kept")
    assert len(rows) == 24


def test_gains_carry_their_sign_and_the_reference_has_none():
    study = make_study(24)
    trials = payload(render_report(study))["trials"]
    for record in study.trials()[:24]:
        for cell in trials[str(record.number)]["values"]:
            gain = study.gains(record).get(cell["name"])
            if gain is None or record is study.reference():
                assert cell["gain"] == ""
            else:
                assert cell["gain"][0] == ("−" if round(gain, 4) < 0 else "+")
                assert cell["sign"] == ("up" if gain > 0 else "down")


def test_failures_show_their_reason_and_traceback():
    seen = Page(render_report(make_study(8, num_failed=2))).text
    assert seen.count("click: the loss is NaN after 1,024 examples") == 4  # reason, traceback
    assert "t0009" in seen


@pytest.mark.parametrize("num_failed", [0, 3])
def test_a_search_without_a_result_says_so(num_failed):
    page = render_report(make_study(0, num_failed=num_failed))
    assert "No trial has completed" in Page(page).text
    assert "/* plotly */" not in page


def test_one_objective_is_drawn_against_the_size():
    study = make_study(24, spec=make_spec(objectives=["click.auc"]))
    assert payload(render_report(study))["pair"] == ["params", "click.auc"]


def test_trials_that_still_run_are_no_rows():
    page = render_report(make_study(8, num_failed=0, num_running=2))
    assert len(payload(page)["trials"]) == 8


def test_text_from_data_is_harmless():
    tasks = {"a": {"label": HOSTILE}, "b": {"label": "b", "given": "a"}}
    spec = make_spec(tasks=tasks, objectives=["a.auc", "b.auc"])
    reason = "</script><img src=x onerror=alert(1)>"
    failed = make_record(12, state="failed", reason=reason, traceback=reason)
    study = StudyOfRecords([*make_study(12, num_failed=0, spec=spec).trials(), failed], spec)
    study.meta = {**study.meta, "command": reason}
    page = render_report(study)
    assert HOSTILE not in page
    assert "<img" not in page
    tags = Page(page).tags
    assert tags["script"] == 3  # the data, plotly, the page's own
    assert reason in Page(page).text  # shown as what it is
    assert HOSTILE in payload(page)["yaml"]["head"]


def test_the_page_is_written_whole_or_not_at_all(tmp_path):
    study = make_study(4)
    path = write_report(study, tmp_path / "report.html")
    assert path.read_text().endswith("</html>\n")
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(RunError, match=r"cannot be written .*; free the place"):
        write_report(study, tmp_path / "nowhere" / "report.html")


def test_it_stays_small(monkeypatch):
    monkeypatch.undo()
    study = make_study(500, spec=make_spec(trials=501))
    page = render_report(study)
    assert len(page.encode()) < 8e6
    assert page.count("plotly.js v") == 1


def test_who_was_stopped_where_and_what_was_not_trained():
    study = make_study(12, num_pruned=3, num_rejected=41, ended="search.wall_hours 1 are used up")
    page = render_report(study)
    seen = Page(page).text
    assert "3 trials were stopped early (3 after 0.111 epochs)." in seen
    assert "41 configurations that break a constraint were not trained." in seen
    assert "ended before its number of trials: search.wall_hours 1 are used up." in seen
    assert seen.count("stopped after 0.111 epochs: rank 7 of 12, the best 4 go on") == 3


def test_stopped_trials_are_no_results():
    study = make_study(12, num_failed=0, num_pruned=3)
    page = render_report(study)
    assert len(payload(page)["trials"]) == 12
    assert len(re.findall(r'<tr data-number="(\d+)"', page)) == 12


def test_a_search_in_which_nobody_was_stopped_does_not_speak_of_it():
    seen = Page(render_report(make_study(12))).text
    assert "Stopped trials" not in seen
    assert "not trained" not in seen


def test_one_figure_of_learning_curves_an_objective_of_a_task():
    page = render_report(make_study(12))
    assert len(payload(page)["figures"]["curves"]) == 2
    assert re.findall(r'<option value="\d">(.*?)</option>', page) == ["click.auc", "long_view.auc"]
