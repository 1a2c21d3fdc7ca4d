"""What a confirmation allows to say, and what it does not."""

import dataclasses

from support.confirmed import confirmation, measure, model, versus

from automtl.analysis.verdicts import outside_verdict, verdicts
from automtl.config import TaskSchema
from automtl.spec.objectives import parse_objective

OBJECTIVES = (parse_objective("click.auc", (TaskSchema(name="click"),)),)
REFERENCE = model(0, {"click.auc": (0.70, 0.70)}, is_candidate=False, is_reference=True)


def suggested(difference, reach, p_adjusted):
    """The only candidate, with what it gains over the reference on TEST rows."""
    gained = versus(difference, reach, p_adjusted)
    return model(
        3,
        {"click.auc": (0.72, 0.73)},
        test={"click.auc": measure(0.72, 0.72, versus=gained)},
    )


def test_a_gain_that_was_told_apart_is_called_better():
    (said,) = verdicts(confirmation(suggested(0.004, 0.003, 0.01), REFERENCE), OBJECTIVES)
    assert said == (
        "Against the tuned single_task t0000 the suggested t0003 is, on test rows, better on "
        "click.auc by +0.40 [+0.10, +0.70] points."
    )


def test_a_loss_that_was_told_apart_is_not_hidden():
    (said,) = verdicts(confirmation(suggested(-0.004, 0.003, 0.01), REFERENCE), OBJECTIVES)
    assert "WORSE on click.auc by -0.40" in said


def test_what_may_be_luck_is_not_called_better():
    (said,) = verdicts(confirmation(suggested(0.004, 0.003, 0.06), REFERENCE), OBJECTIVES)
    assert "not to be told apart on click.auc (+0.40 [+0.10, +0.70] points)" in said
    assert "better" not in said


def test_where_trees_are_better_it_is_said_first():
    trees = dataclasses.replace(
        model(None, {"click.auc": (0.8,)}, is_candidate=False, name="gradient boosting"),
        test={
            "click.auc": dataclasses.replace(
                measure(0.8), versus_suggested=versus(0.01, 0.002, 0.001)
            )
        },
    )
    found = confirmation(suggested(0.0, 0.1, 1.0), REFERENCE, trees)
    assert outside_verdict(found, OBJECTIVES) == (
        "Gradient boosting, a model a task and not tuned, does better on test rows than the "
        "suggested t0003: click.auc by +1.00 [+0.80, +1.20] points."
    )


def test_where_trees_are_worse_nothing_is_said_of_them():
    found = confirmation(suggested(0.0, 0.1, 1.0), REFERENCE)
    assert outside_verdict(found, OBJECTIVES) == ""


def test_candidates_that_cannot_be_told_from_the_suggested_one_are_named():
    objectives = (*OBJECTIVES, parse_objective("params", (TaskSchema(name="click"),)))

    def candidate(trial, click, params, p_adjusted=None):
        against = None if p_adjusted is None else versus(0.001, 0.002, p_adjusted)
        on_test = dataclasses.replace(measure(click, click), versus_suggested=against)
        return model(trial, {"click.auc": (click, click)}, params, test={"click.auc": on_test})

    found = confirmation(
        candidate(1, 0.75, 9e6, 0.6), candidate(2, 0.74, 2e5), candidate(3, 0.60, 1e5, 0.01)
    )
    assert verdicts(found, objectives)[-1] == (
        "t0001 cannot be told from t0002 on test rows, in any task."
    )


def test_without_a_whole_candidate_nothing_is_confirmed():
    assert verdicts(confirmation(REFERENCE), OBJECTIVES) == [
        "No candidate came to its end with every seed: nothing is confirmed."
    ]
