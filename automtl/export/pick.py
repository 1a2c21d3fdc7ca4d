"""Which trial of a study to take: a word from the command line -> one trial, with the reason."""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass

from automtl.analysis import text
from automtl.config import MEASURED_COSTS, Objective
from automtl.errors import RunError
from automtl.export.manifest import Confirmed
from automtl.export.standing import Standing, Trained, standing, trained, within_one_error
from automtl.pareto import dominates
from automtl.records import losses
from automtl.study import Study, TrialRecord

__all__ = ["Pick", "choices", "pick"]

Chosen = tuple[TrialRecord, str]  # and why, in a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A complete trial, in one sentence why it was chosen, the training that stands for it, and
    what fresh seeds found of it."""

    record: TrialRecord
    why: str
    trained: Trained
    confirmed: Confirmed | None = None


def choices(study: Study) -> tuple[str, ...]:
    """All that `pick` understands for this study, but weights and trial ids."""
    tasks = dict.fromkeys(one.task for one in study.objectives if one.task is not None)
    named = (one.name for one in study.objectives)
    within = () if study.confirmation() is None else ("within:1se",)
    return ("knee", *(f"best:{name}" for name in (*tasks, *named)), *within, "reference")


def pick(study: Study, how: str) -> Pick:
    """The trial that `how` names.

    `knee`: the suggested compromise on the front. `best:TASK` / `best:OBJECTIVE`: the end of the
    front that is best in the objective (a task stands for its first objective).
    `weights:click.auc=2,params=1`: the member of least weighted sum. `within:1se`: the smallest
    that is about as good as the knee (`standing.within_one_error`). `reference`: the tuned
    single_task. `t0042` / `42`: that trial, on the front or not. The front is the confirmed one
    where there is one; everything is judged on validation rows. RunError, with the choices, if
    nothing fits or the trial is not complete.
    """
    kind, _, name = how.strip().partition(":")
    match kind:
        case "knee" if not name:
            record, why = _knee(study)
        case "reference" if not name:
            record, why = _reference(study)
        case "best":
            record, why = _best(study, _objective(study, name, how))
        case "weights":
            record, why = _weighted(study, name, how)
        case "within" if name == "1se":
            record, why = _within(study)
        case _ if re.fullmatch(r"[tT]?\d{1,9}", kind) and not name:
            record, why = _numbered(study, int(kind.lower().removeprefix("t")))
        case _:
            raise RunError(f"--pick {how}: no such choice{_did_you_mean(study, how)}")
    return Pick(
        record=record,
        why=why,
        trained=trained(study, record),
        confirmed=_confirmed(study, record),
    )


def _confirmed(study: Study, record: TrialRecord) -> Confirmed | None:
    confirmation = study.confirmation()
    model = None if confirmation is None else confirmation.model(record.number)
    if confirmation is None or model is None:
        return None
    return Confirmed(seeds=confirmation.seeds, group=confirmation.group, model=model)


def _knee(study: Study) -> Chosen:
    front = _front(study)
    if len(front.members) == 1:
        return front.knee(), f"It is {front.crowd}{front.basis}."
    why = (
        "It is the knee, a suggestion: over all ways to weigh the objectives, the one that would "
        f"be missed most of {front.crowd}{front.basis}."
    )
    return front.knee(), why


def _reference(study: Study) -> Chosen:
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
    return record, why


def _best(study: Study, objective: Objective) -> Chosen:
    front = _front(study)
    record, value = front.best(objective)
    most = "highest" if objective.direction == "maximize" else "lowest"
    shown = (
        text.metric(objective.name, value) if objective.metric in MEASURED_COSTS else f"{value:.6g}"
    )
    return record, f"It has the {most} {objective.name} ({shown}) of {front.crowd}{front.basis}."


def _weighted(study: Study, given: str, how: str) -> Chosen:
    """`click.auc=2,params=1`: objectives that are not named weigh nothing."""
    weights = dict.fromkeys(study.objectives, 0.0)
    for part in given.split(","):
        name, _, number = part.partition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not (math.isfinite(weight) and weight >= 0):
            known = ",".join(f"{one.name}=1" for one in study.objectives)
            raise RunError(
                f"--pick {how}: {part or 'nothing'!r} is no weight; write weights:{known}, each 0 "
                "or more"
            )
        weights[_objective(study, name.strip(), how)] = weight
    if not any(weights.values()):
        raise RunError(f"--pick {how}: all weights are 0; give one that is more")
    front = _front(study)
    told = ", ".join(f"{one.name} {weight:g}" for one, weight in weights.items() if weight)
    why = (
        f"It has the least weighted sum ({told}; each scaled over the front) of "
        f"{front.crowd}{front.basis}."
    )
    return front.weighted(list(weights.values())), why


def _within(study: Study) -> Chosen:
    confirmation = study.confirmation()
    model = None if confirmation is None else within_one_error(confirmation, study.objectives)
    if model is None or confirmation is None:
        raise RunError(
            f"--pick within:1se: {study.run_dir} has no confirmed front, and one seed has no "
            "standard error; run `automtl confirm` first, or pick another"
            f"{_did_you_mean(study, '')}"
        )
    record = next(one for one in study.trials() if one.number == model.trial)
    why = (
        f"It has the fewest parameters ({text.count(model.costs['params'])}) of the confirmed "
        "trials that are within one standard error of the knee in every task, by the means of "
        f"{confirmation.seeds} fresh seeds on validation rows; the error is that of the seeds "
        "alone, on the same rows."
    )
    return record, why


def _objective(study: Study, name: str, how: str) -> Objective:
    """By its own name, else the first of a task's."""
    for one in study.objectives:
        if one.name == name:
            return one
    for one in study.objectives:
        if one.task == name:
            return one
    raise RunError(
        f"--pick {how}: {name!r} is no objective of this study and no task that has one"
        f"{_did_you_mean(study, how)}"
    )


def _numbered(study: Study, number: int) -> Chosen:
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
    return record, f"It was named by its id; {_place(study, record)}."


def _place(study: Study, record: TrialRecord) -> str:
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


def _front(study: Study) -> Standing:
    front = standing(study)
    if front is None:
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
