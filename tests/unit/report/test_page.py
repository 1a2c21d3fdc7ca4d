import dataclasses
import json
import re
from html.parser import HTMLParser

import pytest
from support.confirmed import confirmation, model
from support.inside import make_gate, make_inside
from support.searched import make_searched
from support.study import StudyOfRecords, make_record, make_spec, make_study

from automtl.analysis.inside import wanted, write_inside
from automtl.errors import RunError
from automtl.report import figures
from automtl.report.page import render_report, write_report
from automtl.space import fixed_spec
from automtl.spec.load import dump_yaml, load_spec
from automtl.spec.schema import Spec

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
    tasks = {"a": {"label": f"[{HOSTILE}]"}, "b": {"label": "b", "given": "a"}}
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
    page = render_report(searched(500))
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
    assert "Rungs" not in seen
    assert "not trained" not in seen


def test_one_figure_of_learning_curves_an_objective_of_a_task():
    page = render_report(make_study(12))
    assert len(payload(page)["plots"]["curves"]) == 2
    assert re.findall(r'<option value="\d">(.*?)</option>', page) == ["click.auc", "long_view.auc"]


def searched(num_trials=90, **options):
    """A study with a knob of each kind, one of them of a column with a hostile name."""
    plain = make_spec().to_dict()
    plain["data"]["categorical"] = ["user_id", HOSTILE]
    plain["space"] |= {
        "embedding_dims": {HOSTILE: {"choice": [4, 8]}},
        "weighting": {"choice": ["fixed", "uncertainty"]},
        "loss_weights": {"long_view": {"float": [0.1, 10], "log": True}},
    }

    def metrics(config, rng):
        gain = 0.01 * rng.normal()
        return {"click.auc": 0.7 + gain, "long_view.auc": 0.6 - gain, "params": 1e6}

    return make_searched(Spec.from_dict(plain), metrics, num_trials, stopped=0.2, **options)


def looked_into(tmp_path, **found):
    """A study whose trials that are looked into were measured."""
    study = make_study(24, run_dir=tmp_path)
    for record in wanted(study):
        write_inside(study, record, make_inside(record.id, **found))
    return study


def titles(page):
    return re.findall(r'<h2 id="[\w-]+">(.*?)</h2>', page)


def test_sections_come_in_the_order_of_reading_and_the_contents_name_them_all():
    study = searched()
    failed = make_record(len(study.trials()), state="failed", reason="out of memory")
    page = render_report(StudyOfRecords([*study.trials(), failed], study.spec))
    names = [
        "Trade-off", "Progress", "Transfer", "Rungs", "Families", "Knobs", "Gates", "Calibration",
        "Learning curves", "Failed trials", "Trials", "Provenance",
    ]  # fmt: skip
    assert titles(page) == names
    contents = re.search(r'<nav aria-label="sections">(.*?)</nav>', page, re.DOTALL)[1]
    assert re.findall(r">([\w -]+)</a>", contents) == names
    for target in re.findall(r'href="#([\w-]+)"', contents):
        assert f'id="{target}"' in page


def test_every_figure_of_the_page_has_its_place_and_a_label():
    page = render_report(searched())
    plots = payload(page)["plots"]
    places = re.findall(
        r'<div id="([\w-]+)" class="figure small" role="img" aria-label="(.+?)"', page
    )
    assert [name for name, _ in places] == list(plots)
    assert len(set(plots)) == len(places) > 10
    for variants in plots.values():
        assert all(set(one) >= {"data", "layout"} for one in variants)


def test_no_line_across_a_figure_lies_between_its_layers():
    """plotly.js knows no such layer for what spans a whole axis, and draws nothing more."""
    plots = payload(render_report(searched()))["plots"]
    shapes = [
        shape
        for variants in plots.values()
        for one in variants
        for shape in one["layout"].get("shapes", [])
    ]
    assert shapes
    assert {shape["layer"] for shape in shapes} <= {"below", "above"}


def test_a_choice_has_an_option_a_variant_of_its_figures():
    page = render_report(searched())
    plots = payload(page)["plots"]
    groups = dict(
        re.findall(r'<select class="choice" data-group="(\w+)">(.*?)</select>', page, re.DOTALL)
    )
    assert set(groups) == {"knobs", "curves"}
    for name, group in re.findall(
        r'<div id="([\w-]+)" class="figure small"[^>]*data-group="(\w+)"', page
    ):
        options = groups.get(group, '<option value="0">').count("<option")
        assert len(plots[name]) == options


def test_with_few_trials_the_page_says_why_it_shows_no_knobs():
    seen = Page(render_report(make_study(12))).text
    assert "complete trials of the space cannot tell what a knob does from luck" in seen
    assert "What the best share" not in seen


def test_names_of_columns_are_harmless_wherever_knobs_are_shown():
    page = render_report(searched())
    assert HOSTILE not in page
    assert f"embedding_dims.{HOSTILE}" in Page(page).text
    drawn = json.dumps(payload(page)["plots"])
    assert "<script" not in drawn
    assert "embedding_dims.&lt;script&gt;" in drawn


def test_of_many_loss_weights_those_on_their_own_task_are_drawn_first():
    names = [f"t{number}" for number in range(4)]
    plain = make_spec(
        tasks={name: {"label": name} for name in names},
        objectives=[f"{name}.auc" for name in names],
    ).to_dict()
    plain["space"]["loss_weights"] = {name: {"float": [0.1, 10], "log": True} for name in names[1:]}

    def metrics(config, rng):
        return {f"{name}.auc": 0.6 + 0.1 * rng.random() for name in names}

    study = make_searched(Spec.from_dict(plain), metrics, 30)
    page = render_report(study)
    drawn = re.findall(r'<h3 class="plot-title">(\S+) over the loss weight of (\S+)</h3>', page)
    assert drawn[:3] == [(f"{name}.auc", name) for name in names[1:]]
    assert len(drawn) == 6


MEAGRE = {
    "no trial": make_study(0, num_failed=0),
    "only stopped trials": make_study(0, num_failed=0, num_pruned=3),
    "only running trials": make_study(0, num_failed=0, num_running=3),
    "one complete trial": make_study(1, num_failed=0),
    "no objective of a task": make_study(40, spec=make_spec(objectives=["params"])),
    "one task": make_study(
        40, spec=make_spec(objectives=["click.auc"], tasks={"click": {"label": "c"}})
    ),
    "a task of numbers": make_study(
        40,
        spec=make_spec(
            objectives=["spend.mae", "click.auc"],
            tasks={"click": {"label": "c"}, "spend": {"label": "s", "type": "regression"}},
        ),
    ),
    "no reference": StudyOfRecords(
        [one for one in make_study(24).trials() if one.role != "reference"], make_spec()
    ),
    "nothing feasible": StudyOfRecords(
        [dataclasses.replace(one, feasible=False) for one in make_study(24).trials()], make_spec()
    ),
}


@pytest.mark.parametrize("study", MEAGRE.values(), ids=MEAGRE)
def test_whatever_a_study_lacks_it_has_a_page_with_its_provenance(study):
    page = render_report(study)
    assert titles(page)[-1] == "Provenance"
    places = re.findall(r'<div id="([\w-]+)" class="figure small"', page)
    assert set(places) <= set(payload(page)["plots"])


def test_the_noise_and_the_single_seed_are_told_where_gains_are():
    seen = Page(render_report(make_study(24))).text
    assert "One seed a trial cannot say how far a gain is from luck" in seen
    assert "more than 0.2 % of the reference's value, a guess" in seen


def test_what_was_seen_inside_is_told(tmp_path):
    gates = [
        make_gate(0.99, 0.01, tasks=("click",)),
        make_gate(0.995, 0.005, tasks=("long_view",), stds=[0.001, 0.001]),
    ]
    page = render_report(looked_into(tmp_path, gates=gates))
    seen = Page(page).text
    assert "Collapsed , one expert takes nearly all: click, long_view." in seen
    assert "Dead , no gate gives it more than 2 %: shared 2." in seen
    assert "40 test rows" in seen
    assert "long_view.joint is long_view times the probability of click on every row" in seen
    assert {"gates-0", "reliability-0", "reliability-1"} <= set(payload(page)["plots"])


def test_of_which_weights_it_is_is_told_once_a_trial_was_trained_again(tmp_path):
    study = looked_into(tmp_path)
    assert "fresh seeds" not in Page(render_report(study)).text
    knee, reference = study.knee(), study.reference()
    level = {"click.auc": (0.7, 0.71, 0.72), "long_view.auc": (0.6, 0.61, 0.62)}
    again = model(reference.number, level, runs=(0, 1, 2), kept=1, is_candidate=False)
    study = make_study(24, run_dir=tmp_path, confirmation=confirmation(again))
    before = Page(render_report(study)).text
    assert f"{reference.id} was not looked into: not yet" in before
    write_inside(study, reference, make_inside(reference.id, run=1))
    seen = Page(render_report(study)).text
    told = f"Of {reference.id} it is the run with the median validation score of 3 fresh seeds."
    assert f"{told} Of {knee.id}" in seen
    assert "it is the search's own run." in seen


def test_a_gate_that_moves_for_no_row_is_constant(tmp_path):
    gates = [make_gate(0.6, 0.4, stds=[0.001, 0.001])]
    seen = Page(render_report(looked_into(tmp_path, gates=gates))).text
    assert "Constant , no weight moves by more than 0.01: click." in seen


def test_gates_in_order_are_said_to_be(tmp_path):
    seen = Page(render_report(looked_into(tmp_path))).text
    assert "No gate has collapsed or is constant, no expert is dead." in seen


def test_a_trial_without_gates_is_said_to_have_none(tmp_path):
    seen = Page(render_report(looked_into(tmp_path, gates=()))).text
    assert "has no gates: each of its tasks sees one expert." in seen


def test_validation_rows_and_picked_rows_are_called_so(tmp_path):
    study = looked_into(tmp_path, split="valid", num_rows=30, num_all=3000)
    assert "30 validation rows (evenly picked from 3,000)" in Page(render_report(study)).text


def test_what_was_not_looked_into_says_why():
    study = make_study(24)
    knee, reference = study.knee(), study.reference()
    gone = [
        dataclasses.replace(one, has_weights=one.number != knee.number) for one in study.trials()
    ]
    study = StudyOfRecords(gone, study.spec)
    page = render_report(study, not_measured={reference.id: "the rows <changed>"})
    seen = Page(page).text
    assert f"{knee.id} was not looked into: its weights are gone." in seen
    assert f"{reference.id} was not looked into: the rows <changed>." in seen
    assert "<changed>" not in page
    running = StudyOfRecords(study.trials(), study.spec, active=True)
    assert "it is measured when the search has ended" in Page(render_report(running)).text
