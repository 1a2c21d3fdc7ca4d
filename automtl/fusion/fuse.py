"""A score's free parameters, found on VALIDATION rows and judged on TEST rows beside its rivals.

Shapes: N rows of a split, of which those with a known event count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from automtl.analysis.interval import Interval
from automtl.data.cache import Report
from automtl.errors import DataError, ScoreError
from automtl.export.manifest import conditions_of, output_columns
from automtl.fusion.evaluate import Evaluator
from automtl.fusion.expression import (
    WIDEST_EXPONENT,
    WIDEST_WEIGHT,
    Column,
    Score,
    anchor,
    columns_of,
    exponents_of,
    filled,
    parameters_of,
    written,
)
from automtl.fusion.intervals import lead, metric_interval
from automtl.fusion.parse import parse
from automtl.fusion.ranking import Judge, Metric, Truth, parse_metric
from automtl.fusion.rows import SEED, Side, event_of, open_sides
from automtl.fusion.search import Found, search
from automtl.fusion.source import Source, Trained, open_source

__all__ = ["Fusion", "Rival", "fuse"]

Floats = NDArray[np.float64]

MOST_SEARCHED = 300_000  # rows: some hundred orders of these take half a minute at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """Another order of the same rows; `lead` is by how much the fused score is ahead of it."""

    name: str
    score: str
    validation: float
    test: Interval
    lead: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Fusion:
    """A score with its parameters, what it reaches, and what else could be had.

    `fixed` is the parameter that was held at 1. Numbers of rows and groups are by split; a group is
    counted where the metric counts it.
    """

    trial: str
    model: str
    why: str
    score: str
    filled: str
    parameters: Mapping[str, float]
    fixed: str | None
    num_tried: int
    num_searched: int
    metric: str
    event: str
    value: str | None
    group: str | None
    num_rows: Mapping[str, int]
    num_events: Mapping[str, int]
    num_groups: Mapping[str, int]
    validation: float
    test: Interval
    rivals: tuple[Rival, ...]
    notes: tuple[str, ...]


def fuse(
    place: str | Path,
    score: str,
    *,
    metric: str = "auc",
    event: str | None = None,
    group: str | None = None,
    value: str | None = None,
    how: str | None = None,
    report: Report | None = None,
) -> Fusion:
    """Finds the free parameters of `score` (`parse.py`) for a run or bundle.

    `metric` is `auc`, `ndcg@K` or `value@K` (`ranking.py`) of the binary task `event` and all its
    conditions, over all rows; None: the last task with a condition. `group` is a column: a list
    each of its values, which are drawn as wholes for the intervals. `value` is a column: what a row
    with the event is worth, for `value@K`; None: 1. `how` picks a trial of a run.
    `report` is told how far encoding is (`open_source`).

    The rivals: the best single prediction, the score with all parameters 1, and the same score of
    the single_task reference with parameters of its own; their choices are made on validation rows
    too. ScoreError, DataError, RunError or BundleError for what cannot be done.
    """
    judged = parse_metric(metric)
    if judged.kind != "auc" and group is None:
        raise ScoreError(f"--metric {metric}: is of lists; say --group COLUMN, such as user_id")
    if value is not None and judged.kind != "value":
        raise ScoreError(f"--value {value}: is for value@K; --metric {metric} counts events")
    source = open_source(Path(place), how=how, report=report)
    if not source.data.num_rows["test"]:
        raise DataError(f"{place}: its split has no test rows; there is nothing to report on")
    happened = event_of(source, event)
    tree = _parsed(source, score)
    sides = open_sides(source, tree, judged, event=happened, group=group, value=value)
    return _fused(source, tree, judged, sides, event=happened, group=group, value=value)


def _parsed(source: Source, score: str) -> Score:
    outputs = source.outputs
    refused = {
        column: f"is the label of {task}, known only afterwards"
        for column, task in source.labels.items()
        if column not in outputs
    }
    return parse(score, [*outputs, *source.columns()], refused=refused)


def _fused(
    source: Source,
    tree: Score,
    metric: Metric,
    sides: tuple[Side, Side],
    *,
    event: str,
    group: str | None,
    value: str | None,
) -> Fusion:
    valid, test = sides
    inputs = [_inputs(source, source.picked, side) for side in sides]
    found, num_searched = _search(tree, inputs[0], valid)
    scored = _Scored(tree, inputs, sides, found.parameters)

    rivals = [_best_single(source, inputs, sides)]
    if any(one != 1 for one in found.parameters.values()):
        ones = dict.fromkeys(found.parameters, 1.0)
        rivals.append(("every parameter 1", _Scored(tree, inputs, sides, ones)))
    if source.reference is not None:
        apart = [_inputs(source, source.reference, side) for side in sides]
        own, _ = _search(tree, apart[0], valid)
        rivals.append(
            (f"single_task {source.reference.trial}", _Scored(tree, apart, sides, own.parameters))
        )
    return Fusion(
        trial=source.picked.trial,
        model=source.picked.name,
        why=source.picked.why,
        score=written(tree),
        filled=scored.filled,
        parameters=dict(found.parameters),
        fixed=anchor(tree),
        num_tried=found.num_tried,
        num_searched=num_searched,
        metric=str(metric),
        event=_with_conditions(source, event),
        value=value,
        group=group,
        num_rows={side.split: len(side.rows) for side in sides},
        num_events={side.split: int(side.judge.truth.happened_N.sum()) for side in sides},
        num_groups={
            side.split: side.judge.truth.num_groups - side.judge.num_left_out for side in sides
        },
        validation=scored.validation,
        test=_interval(test, scored.on_test_N),
        rivals=tuple(_rival(name, one, scored, test) for name, one in rivals),
        notes=tuple(_notes(source, tree, found, sides, group, num_searched)),
    )


class _Scored:
    """A score with numbers for its parameters, on the rows of both splits."""

    def __init__(
        self,
        tree: Score,
        inputs: list[Mapping[str, Floats]],
        sides: tuple[Side, Side],
        parameters: Mapping[str, float],
    ) -> None:
        on_valid_N, self.on_test_N = (
            Evaluator(tree, columns, rows=side.split)(parameters)
            for columns, side in zip(inputs, sides, strict=True)
        )
        self.validation = sides[0].judge(on_valid_N)
        self.filled = written(filled(tree, parameters))


def _inputs(source: Source, trained: Trained, side: Side) -> Mapping[str, Floats]:
    """Everything that a score may name, for the rows of a side."""
    predictions = source.predict(trained, side.split)
    outputs = {name: predictions[key][side.rows] for name, key in source.outputs.items()}
    return {**side.columns, **outputs}


def _search(tree: Score, inputs: Mapping[str, Floats], side: Side) -> tuple[Found, int]:
    """The best parameters on the rows of a side, and on how many of them they were looked for."""
    fixed = anchor(tree)
    exponents = exponents_of(tree)
    widths = {
        name: WIDEST_EXPONENT if name in exponents else WIDEST_WEIGHT
        for name in parameters_of(tree)
        if name != fixed
    }
    judge, columns = side.judge, {name: inputs[name] for name in columns_of(tree)}
    if widths and len(side.rows) > MOST_SEARCHED:
        some = _some_rows(judge.truth)
        judge = Judge(judge.metric, judge.truth.of(some), seed=SEED)
        columns = {name: values[some] for name, values in columns.items()}
    evaluate = Evaluator(tree, columns, rows=side.split)
    held = {} if fixed is None else {fixed: 1.0}
    found = search(lambda tried: judge(evaluate({**held, **tried})), widths)
    both = {**held, **found.parameters}
    parameters = {name: both[name] for name in parameters_of(tree)}
    whole = Found(parameters=parameters, value=found.value, num_tried=found.num_tried)
    return whole, len(judge.truth)


def _some_rows(truth: Truth) -> NDArray[np.int64]:
    """About MOST_SEARCHED rows, drawn by the seed; of lists whole ones."""
    rng = np.random.default_rng(SEED)
    if truth.groups_N is None:
        return np.sort(rng.permutation(len(truth))[:MOST_SEARCHED])
    sizes_G = np.bincount(truth.groups_N)
    drawn_G = rng.permutation(len(sizes_G))
    taken = drawn_G[: max(1, int((np.cumsum(sizes_G[drawn_G]) <= MOST_SEARCHED).sum()))]
    return np.flatnonzero(np.isin(truth.groups_N, taken))


def _best_single(
    source: Source, inputs: list[Mapping[str, Floats]], sides: tuple[Side, Side]
) -> tuple[str, _Scored]:
    """The prediction that alone is best on validation rows; of equals the first."""
    names = [one.name for one in output_columns(source.data.tasks)]
    alone = {name: _Scored(Column(name), inputs, sides, {}) for name in names}
    best = max(alone, key=lambda name: alone[name].validation)
    return "best prediction alone", alone[best]


def _rival(name: str, rival: _Scored, scored: _Scored, test: Side) -> Rival:
    ahead = _lead(test, scored.on_test_N, rival.on_test_N)
    return Rival(
        name=name,
        score=rival.filled,
        validation=rival.validation,
        test=_interval(test, rival.on_test_N),
        lead=ahead,
    )


def _interval(side: Side, scores_N: Floats) -> Interval:
    try:
        return metric_interval(side.judge, scores_N, seed=SEED)
    except ValueError as error:  # two rows of a kind, two groups: too few to say how sure
        raise _too_few(side, error) from error


def _lead(side: Side, scores_N: Floats, others_N: Floats) -> Interval:
    try:
        return lead(side.judge, scores_N, others_N, seed=SEED)
    except ValueError as error:
        raise _too_few(side, error) from error


def _too_few(side: Side, error: ValueError) -> ScoreError:
    return ScoreError(f"--metric {side.judge.metric}: no interval on {side.split} rows: {error}")


def _with_conditions(source: Source, event: str) -> str:
    """`long_view and click`: the event and all that must have happened before."""
    given = {task.name: task.given for task in source.data.tasks}
    return " and ".join([event, *conditions_of(event, given)])


def _notes(
    source: Source,
    tree: Score,
    found: Found,
    sides: tuple[Side, Side],
    group: str | None,
    num_searched: int,
) -> list[str]:
    notes = []
    exponents = exponents_of(tree)
    for name, reached in found.parameters.items():
        widest = WIDEST_EXPONENT if name in exponents else WIDEST_WEIGHT
        if name != anchor(tree) and not 1.01 / widest < reached < widest / 1.01:
            notes.append(
                f"{name} is at the end of its range, {1 / widest:g} to {widest:g}: its part counts "
                "for nearly all or nothing, or wants a number beside it, such as 0.001"
            )
    for side in sides:
        if side.num_without_group:
            notes.append(f"left out: {side.num_without_group:,} {side.split} rows without {group}")
        if out := side.judge.num_left_out:
            notes.append(f"left out: {out:,} {side.split} groups of {group} without the event")
    if num_searched < len(sides[0].rows):
        notes.append(f"searched on {num_searched:,} of the validation rows, drawn at random")
    if source.no_reference:
        notes.append(f"no single_task beside it: {source.no_reference}")
    return notes
