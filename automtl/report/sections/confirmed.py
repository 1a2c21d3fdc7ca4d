"""The section on confirmed models: which gains are real."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automtl import records
from automtl.analysis import text
from automtl.analysis.confirmed_frame import confirmed_frame
from automtl.analysis.verdicts import gap, outside_verdict, verdicts
from automtl.config import Objective
from automtl.confirmed import Confirmation, ConfirmedModel, Measure, confirmed_knee
from automtl.report.confirmed import confirmed_gains_figure
from automtl.report.sections.parts import Table, heading, plot, table

if TYPE_CHECKING:
    from automtl.study import Study

__all__ = ["confirmed_section", "error_bars"]


def confirmed_section(study: Study) -> dict[str, Any]:
    """The words, figures and table of the section; empty where nothing was confirmed."""
    confirmation = study.confirmation()
    if confirmation is None:
        return {}
    frame = confirmed_frame(study)
    told = frame[(frame["split"] == "test") & frame["gain"].notna()]
    names = list(dict.fromkeys(told["objective"]))
    confirmed = {one.trial for one in confirmation.models}
    return {
        "outside": outside_verdict(confirmation, study.objectives),
        "verdicts": verdicts(confirmation, study.objectives),
        "seeds": confirmation.seeds,
        "group": confirmation.group,
        "num_groups": f"{confirmation.num_groups:,}",
        "num_test_rows": f"{confirmation.num_test_rows:,}",
        "has_outside": confirmation.outside is not None,
        "late": [one.id for one in study.front() if one.number not in confirmed],
        "gains": [
            plot(
                f"confirmed-{number}",
                [confirmed_gains_figure(frame, name)],
                label=f"Gain of each confirmed model in {name} with its interval",
                title=name,
                of=[name],
            )
            for number, name in enumerate(names)
        ],
        "table": _table(study, confirmation),
    }


def error_bars(study: Study) -> dict[str, dict[int, tuple[float, float, float]]]:
    """By objective and trial, for the figure of the front: the mean over fresh seeds on VALIDATION
    rows and the interval of it; a cost is itself."""
    confirmation = study.confirmation()
    if confirmation is None:
        return {}
    models = [one for one in confirmation.models if one.trial is not None and one.valid]
    return {
        objective.name: {one.trial: _bar(one, objective) for one in models if one.trial is not None}
        for objective in study.objectives
    }


def _bar(model: ConfirmedModel, objective: Objective) -> tuple[float, float, float]:
    if objective.task is None:
        return (model.costs[objective.name],) * 3
    measure = model.valid[objective.name]
    if measure.seed_low is None or measure.seed_high is None:
        return (measure.mean,) * 3
    return measure.mean, measure.seed_low, measure.seed_high


def _table(study: Study, confirmation: Confirmation) -> Table:
    objectives = records.task_objectives(study.objectives)
    costs = [one for one in study.objectives if one.task is None]
    knee = confirmed_knee(confirmation, study.objectives)
    return table(
        (
            "trial",
            "model",
            *(
                name
                for one in objectives
                for name in (heading(one), "on test", "gain over single_task")
            ),
            *(heading(one) for one in costs),
        ),
        (
            (
                "–" if model.trial is None else model.id,
                f"{model.name}{_tag(model, knee)}",
                *(
                    cell
                    for one in objectives
                    for cell in _cells(
                        one.name, model.valid.get(one.name), model.test.get(one.name)
                    )
                ),
                *(
                    text.metric(one.name, model.costs[one.name]) if model.costs else ""
                    for one in costs
                ),
            )
            for model in confirmation.models
        ),
        num_words=2,
    )


def _cells(name: str, valid: Measure | None, test: Measure | None) -> tuple[str, str, str]:
    versus = None if test is None else test.versus_reference
    return (
        "–" if valid is None else text.metric(name, valid.mean),
        "–" if test is None else _with_interval(name, test),
        ""
        if versus is None
        else f"{gap(name, versus).replace('-', '−')}{' *' if versus.is_told_apart else ''}",
    )


def _with_interval(name: str, measure: Measure) -> str:
    """`0.7437 [0.7370, 0.7504]`."""
    mean = text.metric(name, measure.mean)
    if measure.low is None or measure.high is None:
        return mean
    return f"{mean} [{text.metric(name, measure.low)}, {text.metric(name, measure.high)}]"


def _tag(model: ConfirmedModel, knee: ConfirmedModel | None) -> str:
    tags = {
        "suggested": model is knee,
        "reference": model.is_reference,
        "default": model.is_baseline and not model.is_candidate,
        f"{model.num_failed} seeds failed": bool(model.num_failed),
    }
    shown = ", ".join(tag for tag, holds in tags.items() if holds)
    return f" ({shown})" if shown else ""
