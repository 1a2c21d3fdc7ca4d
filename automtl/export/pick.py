"""Which trial of a study to take: a word from the command line -> one trial, with the reason."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

import numpy as np

from automtl.analysis import text
from automtl.config import MEASURED_COSTS, Objective
from automtl.errors import RunError
from automtl.pareto import dominates
from automtl.records import losses
from automtl.study import Study, TrialRecord

__all__ = ["Pick", "choices", "pick"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A complete trial and, in one sentence, why it was chosen."""

    record: TrialRecord
    why: str


def choices(study: Study) -> tuple[str, ...]:
    """All that `pick` understands for this study, but trial ids."""
    tasks = dict.fromkeys(one.task for one in study.objectives if one.task is not None)
    named = (one.name for one in study.objectives)
    return ("knee", *(f"best:{name}" for name in (*tasks, *named)), "reference")


def pick(study: Study, how: str) -> Pick:
    """The trial that `how` names.

    `knee`: the suggested compromise on the front. `best:TASK` / `best:OBJECTIVE`: the end of the
    front that is best in the objective (a task stands for its first objective). `reference`: the
    tuned single_task. `t0042` / `42`: that trial, on the front or not. Everything is judged on
    validation rows. RunError, with the choices, if nothing fits or the trial is not complete.
    """
    kind, _, name = how.strip().partition(":")
    match kind:
        case "knee" if not name:
            return _knee(study)
        case "reference" if not name:
            return _reference(study)
        case "best":
            return _best(study, _objective(study, name))
        case _ if re.fullmatch(r"[tT]?\d{1,9}", kind) and not name:
            return _numbered(study, int(kind.lower().removeprefix("t")))
        case _:
            raise RunError(f"--pick {how}: no such choice{_did_you_mean(study, how)}")


def _knee(study: Study) -> Pick:
    front, knee = _front(study), study.knee()
    assert knee is not None, "a front that is not empty has a knee"
    if len(front) == 1:
        return Pick(record=knee, why="It is the only trial on the front.")
    why = (
        "It is the knee, a suggestion: over all ways to weigh the objectives, the one that would "
        f"be missed most of the {len(front)} trials on the front."
    )
    return Pick(record=knee, why=why)


def _reference(study: Study) -> Pick:
    record = study.reference()
    if record is None:
        raise RunError(
            f"{study.run_dir}: no single_task reference is complete yet; "
            f"go on with --resume, or pick another{_did_you_mean(study, '')}"
        )
    rivals = [one for one in study.trials() if one.role == "reference" and one.state == "complete"]
    why = (
        "It is the single_task reference: the best on validation rows of "
        f"{len(rivals)} trials that tune a model of its own for every task."
    )
    return Pick(record=record, why=why)


def _best(study: Study, objective: Objective) -> Pick:
    front = _front(study)
    record = front[
        int(np.argmin(losses(front, study.objectives)[:, study.objectives.index(objective)]))
    ]
    most = "highest" if objective.direction == "maximize" else "lowest"
    assert record.values is not None, "a trial on the front has values"
    value = record.values[objective.name]
    others = "the only trial" if len(front) == 1 else f"the {len(front)} trials"
    shown = (
        text.metric(objective.name, value) if objective.metric in MEASURED_COSTS else f"{value:.6g}"
    )
    why = f"It has the {most} {objective.name} ({shown}) of {others} on the front."
    return Pick(record=record, why=why)


def _objective(study: Study, name: str) -> Objective:
    """By its own name, else the first of a task's."""
    for one in study.objectives:
        if one.name == name:
            return one
    for one in study.objectives:
        if one.task == name:
            return one
    how = f"best:{name}"
    raise RunError(
        f"--pick {how}: {name!r} is no objective of this study and no task that has one"
        f"{_did_you_mean(study, how)}"
    )


def _numbered(study: Study, number: int) -> Pick:
    trials = {trial.number: trial for trial in study.trials()}
    record = trials.get(number)
    if record is None:
        span = f"they go from t0000 to {trials[max(trials)].id}" if trials else "it has none yet"
        raise RunError(f"--pick {number}: {study.run_dir} has no such trial; {span}")
    if record.state != "complete":
        reason = f" ({record.reason})" if record.reason else ""
        raise RunError(
            f"--pick {record.id}: that trial is {record.state}{reason}, only a complete one can be "
            f"taken{_did_you_mean(study, '')}"
        )
    return Pick(record=record, why=f"It was named by its id; {_standing(study, record)}.")


def _standing(study: Study, record: TrialRecord) -> str:
    front = study.front()
    if any(trial.number == record.number for trial in front):
        return "it is on the front"
    if not record.in_space:
        return "it lies outside the space that was searched, so it is not on the front"
    if not record.feasible:
        return "it breaks a constraint, so it is not on the front"
    losses_NM = losses((record, *front), study.objectives)
    better = [
        trial.id
        for trial, losses_M in zip(front, losses_NM[1:], strict=True)
        if dominates(losses_M, losses_NM[0])
    ]
    return f"it is not on the front, {', '.join(better[:3])} dominating it"


def _front(study: Study) -> tuple[TrialRecord, ...]:
    front = study.front()
    if not front:
        states = [trial.state for trial in study.trials()]
        counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        raise RunError(
            f"{study.run_dir}: no trial is on the front yet (trials: {counts or 'none'}); "
            "go on with --resume, or pick a complete trial by its id"
        )
    return front


def _did_you_mean(study: Study, how: str) -> str:
    known = choices(study)
    close = difflib.get_close_matches(how, known, n=1)
    hint = f"; did you mean {close[0]}?" if close else ";"
    return f"{hint} choices: {', '.join(known)}, or a trial id such as t0007"
