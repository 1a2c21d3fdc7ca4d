"""A word from the command line -> a trial, or an error that lists the words."""

from types import SimpleNamespace

import pytest

from automtl.config import Evaluation, ModelConfig, TrainConfig, TrialConfig
from automtl.errors import RunError
from automtl.export.pick import choices, pick
from automtl.records import NewTrial
from automtl.spec.schema import Spec
from automtl.study_writer import create_study, writing

CONFIG = TrialConfig(model=ModelConfig(family="mmoe"), train=TrainConfig())
SPEC = {
    "version": 1,
    "name": "clicks",
    "data": {"generate": {"name": "impressions"}, "split": {"column": "split"}, "numeric": ["x0"]},
    "tasks": {
        "click": {"label": "click"},
        "buy": {"label": "conversion", "given": "click"},
    },
    "objectives": ["click.auc", "buy.joint_auc", "buy.logloss", "params"],
    "constraints": ["params <= 5000"],
    "space": {"sharing": [{"family": "mmoe", "num_shared_experts": {"int": [2, 4]}}]},
}


def new_study(directory):
    lock = SimpleNamespace(directory=directory / "cache", fingerprint="0" * 64)
    return create_study(directory / "run", Spec.from_dict(SPEC), lock)


@pytest.fixture
def empty(tmp_path):
    return new_study(tmp_path)


def add(writer, click, buy, logloss, params, *, role="search", in_space=True, end="complete"):
    """One trial with these values, ended as said."""
    values = {"click.auc": click, "buy.joint_auc": buy, "buy.logloss": logloss, "params": params}
    record = writer.start(
        NewTrial(role=role, params={}, distributions={}, config=CONFIG, seed=0, in_space=in_space)
    )
    if end == "running":
        return
    evaluation = Evaluation(epochs=1.0, examples=10, wall_s=1.0, metrics=values)
    writer.add_evaluation(record.number, evaluation)
    if end == "fail":
        writer.fail(record.number, "the loss is nan at step 7")
    elif end == "prune":
        writer.prune(record.number, "stopped after 0.111 epochs: rank 3 of 3, the best 1 go on")
    else:
        writer.complete(record.number)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    study = new_study(tmp_path_factory.mktemp("picks"))
    with writing(study) as writer:
        add(writer, 0.70, 0.60, 0.5, 100, role="reference", in_space=False)  # t0000
        add(writer, 0.71, 0.59, 0.5, 100, role="reference", in_space=False)
        add(writer, 0.75, 0.60, 0.4, 300)  # t0002: best click
        add(writer, 0.74, 0.69, 0.41, 200)  # t0003: nearly best everywhere
        add(writer, 0.60, 0.70, 0.39, 400)  # t0004: best buy, by both metrics
        add(writer, 0.59, 0.50, 0.60, 900)  # t0005: dominated
        add(writer, 0.99, 0.99, 0.01, 9000)  # t0006: infeasible
        add(writer, 0, 0, 0, 0, end="fail")  # t0007
        add(writer, 0, 0, 0, 0, end="running")  # t0008
        add(writer, 0.8, 0.8, 0.3, 10, end="prune")  # t0009
    return study


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("knee", "t0003"),
        ("best:click", "t0002"),
        ("best:click.auc", "t0002"),
        ("best:buy", "t0004"),
        ("best:buy.joint_auc", "t0004"),
        ("best:buy.logloss", "t0004"),
        ("best:params", "t0003"),
        ("t0005", "t0005"),
        ("5", "t0005"),
        ("T5", "t0005"),
    ],
)
def test_each_word_names_a_trial(study, how, expected):
    assert pick(study, how).record.id == expected


def test_the_reference_is_the_studys(study):
    chosen = pick(study, "reference")
    assert chosen.record == study.reference()
    assert "2 trials that tune" in chosen.why


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("knee", "a suggestion: over all ways to weigh the objectives"),
        ("best:click", "highest click.auc (0.75) of the 3 trials on the front"),
        ("best:buy.logloss", "lowest buy.logloss (0.39)"),
        ("best:params", "lowest params (200)"),
        ("2", "named by its id; it is on the front"),
        ("5", "it is not on the front, t0002, t0003, t0004 dominating it"),
        ("6", "breaks a constraint"),
        ("1", "outside the space"),
    ],
)
def test_every_pick_says_why_in_one_sentence(study, how, why):
    said = pick(study, how).why
    assert why in said
    assert said.endswith(".")
    assert said.count(". ") == 0


def test_the_choices_are_those_of_the_study(study):
    assert choices(study) == (
        "knee",
        "best:click",
        "best:buy",
        "best:click.auc",
        "best:buy.joint_auc",
        "best:buy.logloss",
        "best:params",
        "reference",
    )


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("bset:click", r"did you mean best:click\? choices: knee, best:click, .*reference, or a"),
        ("best:clik", r"'clik' is no objective .*did you mean best:click\?"),
        ("best:", r"no objective of this study"),
        ("best", r"no objective of this study"),
        ("best:click.logloss", r"'click.logloss' is no objective"),
        ("knee:click", r"no such choice"),
        ("", r"no such choice.*choices: knee"),
        ("-3", r"no such choice"),
        ("42", r"has no such trial; they go from t0000 to t0009"),
        ("t0007", r"t0007: that trial is failed \(the loss is nan at step 7\)"),
        ("8", r"that trial is running"),
        ("9", r"is pruned \(stopped after 0.111 epochs: .*\), only a complete one"),
    ],
)
def test_what_names_nothing_is_an_error_with_the_choices(study, how, message):
    with pytest.raises(RunError, match=message):
        pick(study, how)


def test_a_study_without_a_front_says_what_it_has(empty):
    for how in ("knee", "best:click"):
        with pytest.raises(RunError, match=r"no trial is on the front yet \(trials: none\)"):
            pick(empty, how)
    with writing(empty) as writer:
        add(writer, 0.7, 0.6, 0.5, 100, role="reference", in_space=False)
        add(writer, 0, 0, 0, 0, end="running")
    with pytest.raises(RunError, match=r"trials: 1 complete, 1 running"):
        pick(empty, "knee")
    with pytest.raises(RunError, match=r"has no such trial; they go from t0000 to t0001"):
        pick(empty, "7")


def test_a_study_without_a_reference_says_so(empty):
    with writing(empty) as writer:
        add(writer, 0.7, 0.6, 0.5, 100)
    with pytest.raises(RunError, match="no single_task reference is complete yet"):
        pick(empty, "reference")
    assert pick(empty, "knee").why == "It is the only trial on the front."
    assert "the only trial on the front" in pick(empty, "best:click").why
