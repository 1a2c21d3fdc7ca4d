"""What a terminal shows of a confirmation: a table of TEST rows, and what it allows to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automtl import records
from automtl.analysis import text
from automtl.analysis.verdicts import gap, outside_verdict, verdicts
from automtl.config import Objective
from automtl.confirmed import Confirmation, ConfirmedModel, Measure, confirmed_knee
from automtl.terminal.console import aligned

if TYPE_CHECKING:
    from automtl.study import Study

__all__ = ["confirmed_text"]


def confirmed_text(study: Study, confirmation: Confirmation) -> str:
    """A line a model: validation mean, TEST mean with its 95 % interval, gain over single_task."""
    objectives = study.objectives
    knee = confirmed_knee(confirmation, objectives)
    models = confirmation.models
    columns = [
        ["trial", *(model.id for model in models)],
        ["model", *("" if model.trial is None else model.name for model in models)],
        *(
            column
            for one in records.task_objectives(objectives)
            for column in _task_columns(one, models)
        ),
        *(
            [text.heading(one), *(_cost(one, model) for model in models)]
            for one in objectives
            if one.task is None
        ),
        ["", *(_tags(model, knee) for model in models)],
    ]
    said = [
        _how(confirmation),
        outside_verdict(confirmation, objectives),
        *verdicts(confirmation, objectives),
    ]
    return "\n".join([aligned(columns), *filter(None, said)]) + "\n"


def _task_columns(objective: Objective, models: tuple[ConfirmedModel, ...]) -> list[list[str]]:
    name = objective.name
    valid = [_mean(name, model.valid.get(name)) for model in models]
    test = [_with_reach(name, model.test.get(name)) for model in models]
    gains = [_gain(name, model.test.get(name)) for model in models]
    return [[text.heading(objective), *valid], ["on test", *test], ["gain", *gains]]


def _mean(name: str, measure: Measure | None) -> str:
    return "–" if measure is None else text.metric(name, measure.mean)


def _with_reach(name: str, measure: Measure | None) -> str:
    """`0.7437 ± 0.0042`: half the width of the 95 % interval."""
    if measure is None or measure.low is None or measure.high is None:
        return _mean(name, measure)
    return f"{_mean(name, measure)} ± {text.metric(name, (measure.high - measure.low) / 2)}"


def _gain(name: str, measure: Measure | None) -> str:
    versus = None if measure is None else measure.versus_reference
    if versus is None:
        return ""
    return f"{gap(name, versus)}{'*' if versus.is_told_apart else ''}"


def _cost(objective: Objective, model: ConfirmedModel) -> str:
    value = model.costs.get(objective.name)
    return "" if value is None else text.metric(objective.name, value)


def _tags(model: ConfirmedModel, knee: ConfirmedModel | None) -> str:
    tags = {
        "suggested": model is knee,
        "reference": model.is_reference,
        "default": model.is_baseline,
        f"{model.num_failed} of its seeds failed": bool(model.num_failed),
    }
    return ", ".join(tag for tag, holds in tags.items() if holds)


def _how(confirmation: Confirmation) -> str:
    if not confirmation.num_test_rows:
        return f"Means of {confirmation.seeds} fresh seeds on validation rows; no test rows."
    rows = f"{confirmation.num_test_rows:,} test rows"
    clustered = (
        f" of {confirmation.num_groups:,} {confirmation.group} groups" if confirmation.group else ""
    )
    over = f"{confirmation.group} groups" if confirmation.group else "rows"
    return (
        f"Means of {confirmation.seeds} fresh seeds. Picks go by the validation means; the {rows}"
        f"{clustered} only report. ± and [ ]: 95 %, over seeds and {over}. Gain over single_task, "
        "+ is better, in points (0.01) for an AUC. *: told apart at 5 % after Holm's correction."
    )
