"""The sections on gates and calibration: what the weights of a few trials do on other rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automtl.analysis import text
from automtl.analysis.inside import (
    CONSTANT_STD,
    DEAD_SHARE,
    Inside,
    calibration_frame,
    experts_frame,
    gates_frame,
    outputs_frame,
    read_inside,
    wanted,
)
from automtl.confirmed import kept_run
from automtl.report.gates import gates_figure
from automtl.report.reliability import reliability_figure
from automtl.report.sections.parts import plot, table

if TYPE_CHECKING:
    from automtl.study import Study, TrialRecord

__all__ = ["inside_section"]

SPLITS = {"test": "test", "valid": "validation"}


def inside_section(study: Study, *, not_measured: Mapping[str, str]) -> dict[str, Any]:
    """The figures and tables of the trials that were measured; `missing` says of the others why
    they are not, from `not_measured` (by trial) where it is known. Empty without such trials."""
    records = wanted(study)
    seen = {record.id: read_inside(study, record) for record in records}
    insides = [inside for inside in seen.values() if inside is not None]
    if not records:
        return {}
    return {
        "missing": [
            {"id": record.id, "why": not_measured.get(record.id) or _why(study, record)}
            for record in records
            if seen[record.id] is None
        ],
        "rows": _rows(insides),
        "weights": _weights(study, insides),
        "gates": [
            _gates(inside, text.model_name(record.config), number)
            for number, record in enumerate(records)
            if (inside := seen[record.id]) is not None
        ],
        "dead_share": f"{DEAD_SHARE:.0%}".replace("%", " %"),
        "constant_std": CONSTANT_STD,
        **_calibration(study, insides),
    }


def _why(study: Study, record: TrialRecord) -> str:
    if study.is_active():
        return "it is measured when the search has ended"
    if not record.has_weights and kept_run(study.confirmation(), record.number) is None:
        return "its weights are gone"
    return f"not yet, automtl report {study.run_dir} does it"


def _weights(study: Study, insides: Sequence[Inside]) -> list[str]:
    """Which training was looked at, in sentences; none before a confirmation: there is one only."""
    confirmation = study.confirmation()
    if confirmation is None:
        return []
    median = f"the run with the median validation score of {confirmation.seeds} fresh seeds"
    again = [one.trial for one in insides if one.run is not None]
    own = [one.trial for one in insides if one.run is None]
    told = [f"Of {' and '.join(again)} it is {median}."] if again else []
    return told + ([f"Of {' and '.join(own)} it is the search's own run."] if own else [])


def _rows(insides: Sequence[Inside]) -> str:
    """`29,434 test rows`: of what all of it was measured."""
    if not insides:
        return ""
    one = insides[0]
    every = "" if one.num_rows == one.num_all else f" (evenly picked from {one.num_all:,})"
    return f"{one.num_rows:,} {SPLITS[one.split]} rows{every}"


def _gates(inside: Inside, model: str, number: int) -> dict[str, Any]:
    frame, experts = gates_frame([inside]), experts_frame([inside])
    by_gate = frame.drop_duplicates(["level", "gate"])
    several = frame["level"].nunique() > 1
    places = [
        f"{row.gate} at level {row.level}" if several else str(row.gate)
        for row in by_gate.itertuples()
    ]
    verdicts = dict(zip(places, by_gate["verdict"], strict=True))
    dead = experts[experts["is_dead"]]
    return {
        "id": inside.trial,
        "model": model,
        "plot": plot(
            f"gates-{number}",
            [gates_figure(frame, inside.trial)],
            label=f"Mean weight that each gate of {inside.trial} gives each expert",
            of=[inside.trial],
        )
        if len(frame)
        else None,
        "collapsed": [name for name, verdict in verdicts.items() if verdict == "collapsed"],
        "constant": [name for name, verdict in verdicts.items() if verdict == "constant"],
        "dead": [
            f"{row.expert} at level {row.level}" if several else str(row.expert)
            for row in dead.itertuples()
        ],
        "table": table(
            ("gate", "effective experts", "of one row", "to shared experts"),
            (
                (
                    place,
                    f"{row.effective:.2f}",
                    f"{row.effective_per_row:.2f}",
                    f"{row.shared_share:.0%}".replace("%", " %"),
                )
                for place, row in zip(places, by_gate.itertuples(), strict=True)
            ),
        ),
    }


def _calibration(study: Study, insides: Sequence[Inside]) -> dict[str, Any]:
    frame, outputs = calibration_frame(insides), outputs_frame(insides)
    roles = {one.trial: _role(study, one.trial) for one in insides}
    spaces = dict(zip(outputs["output"], outputs["space"], strict=True)) if len(outputs) else {}
    observed = {(row.trial, row.output): f"{row.observed:.4f}" for row in outputs.itertuples()}
    return {
        "reliability": [
            plot(
                f"reliability-{number}",
                [reliability_figure(frame, name, roles=roles)],
                label=f"Observed over predicted {name}, on {space}",
                title=f"{name}, {space}",
                of=[name],
            )
            for number, (name, space) in enumerate(spaces.items())
        ],
        "outputs": table(
            (
                "output",
                "over",
                "trial",
                "rows",
                "predicted",
                "observed",
                "ratio",
                "error",
                "chance",
            ),
            (
                (
                    row.output,
                    row.space,
                    row.trial,
                    f"{row.num_rows:,}",
                    *tuple(f"{value:.4g}" for value in (row.predicted, row.observed)),
                    f"{row.ratio:.3f}",
                    f"{row.error:.4f}",
                    f"{row.chance:.4f}",
                )
                for row in outputs.sort_values("output", kind="stable").itertuples()
            ),
            num_words=3,
        )
        if len(outputs)
        else None,
        "chains": [
            {
                "trial": one.trial,
                "task": chain.task,
                "given": chain.given,
                "joint": f"{chain.joint:.4f}",
                "product": f"{chain.product:.4f}",
                "output": chain.output,
                "observed": observed.get((one.trial, chain.output), "unknown"),
                "own": f"{chain.own:.4f}",
                "difference": f"{chain.largest_difference:.1g}",
            }
            for one in insides
            for chain in one.chains
        ],
    }


def _role(study: Study, trial: str) -> str:
    knee, reference = study.suggested(), study.reference()
    if knee is not None and knee.id == trial:
        is_both = reference is not None and reference.id == trial
        return "suggested, reference" if is_both else "suggested"
    return "reference" if reference is not None and reference.id == trial else "with gates"
