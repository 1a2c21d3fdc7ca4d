"""What a terminal shows of a training: TEST rows by seed, their mean, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automtl.analysis import text
from automtl.confirmed import Measure
from automtl.terminal.console import aligned

if TYPE_CHECKING:
    from automtl.final.result import Training
    from automtl.study import Study

__all__ = ["training_text"]


def training_text(study: Study, training: Training) -> str:
    """A line a seed, then the mean over them with its 95 % interval."""
    model = training.model
    shown = model.test or model.valid
    headings = {one.name: text.heading(one) for one in study.objectives}
    columns = [
        ["seed", *map(str, training.seeds), "mean"],
        *(
            [
                headings[name],
                *(text.metric(name, value) for value in measure.by_seed),
                _with_reach(name, measure),
            ]
            for name, measure in shown.items()
        ),
        ["", *("median" if run == model.kept else "" for run in model.runs), ""],
    ]
    if len(training.seeds) == 1:
        columns = [column[:2] for column in columns[:-1]]
    return f"{aligned(columns)}{_how(training)}\n"


def _with_reach(name: str, measure: Measure) -> str:
    """`0.7437 ± 0.0042`: half the width of the 95 % interval."""
    mean = text.metric(name, measure.mean)
    if measure.low is None or measure.high is None:
        return mean
    return f"{mean} ± {text.metric(name, (measure.high - measure.low) / 2)}"


def _how(training: Training) -> str:
    learned = "train and valid rows" if training.trained_on == "train+valid" else "train rows"
    failed = training.model.num_failed
    parts = [f"{training.model.name}, trained on {learned}."]
    if training.num_test_rows:
        over = f"{training.group} groups" if training.group else "rows"
        reach = f" ±: 95 %, over seeds and {over}." if len(training.seeds) > 1 else ""
        parts.append(f"On {training.num_test_rows:,} test rows, which chose nothing.{reach}")
    elif training.trained_on == "train+valid":
        parts.append("There are no test rows: these are valid rows, on which it was trained.")
    else:
        parts.append("On valid rows: there are no test rows.")
    if failed:
        parts.append(f"{failed} of the seeds failed.")
    return " ".join(parts)
