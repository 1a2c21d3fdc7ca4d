"""What a trial's weights do on rows that it was not trained on: how it routes, what it predicts.

A trial's answer is measured once (`export/inside.py`, which needs torch) and lies beside the run
as RUN/inside/t0042.json; everything here reads it and needs no torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from automtl import rundir
from automtl.analysis.calibration import Bin, calibration_error, chance_error
from automtl.config import from_jsonable, to_jsonable
from automtl.confirmed import kept_run
from automtl.files import written_whole
from automtl.spec.knobs import GATED_FAMILIES

if TYPE_CHECKING:
    from automtl.study import Study, TrialRecord

__all__ = [
    "COLLAPSED",
    "CONSTANT_STD",
    "DEAD_SHARE",
    "Chain",
    "Expert",
    "Gate",
    "Inside",
    "Output",
    "calibration_frame",
    "experts_frame",
    "gates_frame",
    "is_complete",
    "outputs_frame",
    "read_inside",
    "wanted",
    "write_inside",
]

FORMAT = 2  # goes up when the meaning of a file changes: older ones are measured anew
COLLAPSED = 1.2  # effective experts: one takes 95 % or more
DEAD_SHARE = 0.02  # no gate gives the expert more
CONSTANT_STD = 0.01  # no weight of the gate moves more over the rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Expert:
    """What one gate gives one expert that it sees: the mean and the deviation over rows.

    `owner` is the expert's task, "" for a shared one; `place` counts from 1 among the owner's.
    """

    owner: str
    place: int
    mean: float
    std: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate of one level (counted from 1).

    `tasks` are those it mixes for: one, or all where they share it; none for the gate that mixes
    for the next level's shared experts. `effective_per_row` is the mean over rows of exp(entropy).
    """

    level: int
    tasks: tuple[str, ...]
    experts: tuple[Expert, ...]
    effective_per_row: float

    @property
    def effective(self) -> float:
        """exp(entropy) of the mean weights: 1 where one expert takes all."""
        return math.exp(-sum(one.mean * math.log(one.mean) for one in self.experts if one.mean > 0))

    @property
    def shared_share(self) -> float:
        """Of the weight, what goes to shared experts."""
        return sum(one.mean for one in self.experts if not one.owner)

    @property
    def verdict(self) -> str:
        """`collapsed`, `constant` (it mixes, but all rows alike), or "" for one that routes."""
        if self.effective < COLLAPSED:
            return "collapsed"
        return "constant" if max(one.std for one in self.experts) < CONSTANT_STD else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The bins of one output: `click`, or `long_view.joint` over all rows. `space` says of which
    rows."""

    name: str
    task: str
    space: str
    is_binary: bool
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A binary task with a condition, over ALL rows: the mean of its joint output (named
    `output`), of its own (what it says of rows that did not meet the condition included), of the
    product of its own with its condition's, and the largest difference between that product and
    the joint output."""

    task: str
    given: str
    output: str
    joint: float
    own: float
    product: float
    largest_difference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """One trial on the `num_rows` rows of `split` that were looked at, of `num_all`.

    `run` says with which weights: of that run of the confirmation, None for the search's own.
    """

    trial: str
    run: int | None
    split: str
    num_rows: int
    num_all: int
    gates: tuple[Gate, ...]
    outputs: tuple[Output, ...]
    chains: tuple[Chain, ...]


def wanted(study: Study) -> tuple[TrialRecord, ...]:
    """The trials that the report looks into: the suggested one, the reference and, where the
    suggested one has no gates, the first of the front that has."""
    front, knee = study.front(), study.suggested()
    gated = [one for one in front if one.config.model.family in GATED_FAMILIES]
    if knee is not None and knee.config.model.family in GATED_FAMILIES:
        gated = []
    found = [one for one in (knee, study.reference(), *gated[:1]) if one is not None]
    return tuple({record.number: record for record in found}.values())


def is_complete(study: Study) -> bool:
    """Whether all was measured that the report looks for and has the weights for."""
    confirmation = study.confirmation()
    return all(
        read_inside(study, record) is not None
        for record in wanted(study)
        if record.has_weights or kept_run(confirmation, record.number) is not None
    )


def read_inside(study: Study, record: TrialRecord) -> Inside | None:
    """What was measured of a trial; None where nothing was, not as it is measured now, or not of
    the weights that stand for the trial now (`confirmed.kept_run`)."""
    try:
        plain = json.loads(_path(study, record).read_text(encoding="utf-8"))
        if plain.pop("format") != FORMAT:
            return None
        found = from_jsonable(Inside, plain)
    except (OSError, AttributeError, KeyError, TypeError, ValueError):
        return None  # a file of another format or damaged: it can be made again
    return found if found.run == kept_run(study.confirmation(), record.number) else None


def write_inside(study: Study, record: TrialRecord, inside: Inside) -> None:
    """Keeps what was measured, whole or not at all. OSError if it cannot be written."""
    path = _path(study, record)
    path.parent.mkdir(exist_ok=True)
    with written_whole(path) as draft:
        plain = {"format": FORMAT, **to_jsonable(inside)}
        draft.write_text(json.dumps(plain, allow_nan=False) + "\n", encoding="utf-8")


def gates_frame(insides: Sequence[Inside]) -> pd.DataFrame:
    """One row a trial, gate and expert that the gate sees.

    Columns: `trial`, `level`, `gate` (its task; `all tasks`; `next level` for the shared one),
    `expert` (`shared 1`, `click·2`), `owner` ("" for shared), `mean` and `std` over rows, and of
    the gate: `effective` and `effective_per_row` experts, `shared_share`, `verdict`.
    """
    columns = (
        "trial", "level", "gate", "expert", "owner", "mean", "std",
        "effective", "effective_per_row", "shared_share", "verdict",
    )  # fmt: skip
    rows = [
        (
            inside.trial, gate.level, _gate_name(gate), _expert_name(one), one.owner, one.mean,
            one.std, gate.effective, gate.effective_per_row, gate.shared_share, gate.verdict,
        )
        for inside in insides
        for gate in inside.gates
        for one in gate.experts
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(columns))


def experts_frame(insides: Sequence[Inside]) -> pd.DataFrame:
    """One row a trial, level and expert: the `most` that any gate gives it on average, of which
    `gate`, and whether it `is_dead` (no more than DEAD_SHARE)."""
    gates = gates_frame(insides)
    keys = ["trial", "level", "expert"]
    best = gates.sort_values("mean", ascending=False, kind="stable").drop_duplicates(keys)
    found = best[[*keys, "gate", "mean"]].rename(columns={"mean": "most"})
    found["is_dead"] = found["most"] <= DEAD_SHARE
    return found.sort_index().reset_index(drop=True)


def calibration_frame(insides: Sequence[Inside]) -> pd.DataFrame:
    """One row a trial, output and bin: `num_rows`, mean `predicted` and `observed`, `low` and
    `high` (95 %) of the observed mean."""
    rows = [
        (
            inside.trial,
            output.name,
            output.task,
            output.space,
            number,
            one.num_rows,
            one.predicted,
            one.observed,
            one.low,
            one.high,
        )
        for inside in insides
        for output in inside.outputs
        for number, one in enumerate(output.bins)
    ]
    columns = ["trial", "output", "task", "space", "bin", "num_rows"]
    return pd.DataFrame(rows, columns=[*columns, "predicted", "observed", "low", "high"])


def outputs_frame(insides: Sequence[Inside]) -> pd.DataFrame:
    """One row a trial and output, over all its rows: mean `predicted` and `observed`, their
    `ratio`, the calibration `error` and the one that chance alone gives (`chance`)."""
    rows = []
    for inside in insides:
        for output in inside.outputs:
            num_rows = sum(one.num_rows for one in output.bins)
            predicted, observed = (
                sum(one.num_rows * getattr(one, mean) for one in output.bins) / num_rows
                for mean in ("predicted", "observed")
            )
            rows.append(
                {
                    "trial": inside.trial,
                    "output": output.name,
                    "task": output.task,
                    "space": output.space,
                    "num_rows": num_rows,
                    "predicted": predicted,
                    "observed": observed,
                    "ratio": predicted / observed if observed else math.nan,
                    "error": calibration_error(output.bins),
                    "chance": chance_error(output.bins),
                }
            )
    return pd.DataFrame(rows, columns=None if rows else ["trial", "output"])


def _path(study: Study, record: TrialRecord) -> Path:
    return study.run_dir / rundir.INSIDE / f"{record.id}.json"


def _gate_name(gate: Gate) -> str:
    if not gate.tasks:
        return "next level"
    return gate.tasks[0] if len(gate.tasks) == 1 else "all tasks"


def _expert_name(expert: Expert) -> str:
    # the dot: a task may be called shared
    return f"{expert.owner}·{expert.place}" if expert.owner else f"shared {expert.place}"
