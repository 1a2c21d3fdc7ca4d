"""What a terminal shows of a checkup: the labels, what features tell, the findings, the time."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator

from automtl.analysis import text
from automtl.doctor.checkup import Checkup
from automtl.doctor.finding import SEVERITIES, Finding
from automtl.doctor.labels import LabelCounts
from automtl.search.dry_run import DryRun
from automtl.terminal.console import (
    DIM,
    PLAIN,
    aligned,
    is_colored,
    is_terminal,
    rows_text,
    time_text,
)

__all__ = ["checkup_text"]

WIDTH = 100  # of a pipe
NUM_STRONGEST = 3  # features of a task that are named
COLORS = {"error": "\x1b[1;31m", "warning": "\x1b[33m", "note": DIM}


def checkup_text(
    found: Checkup, planned: DryRun, *, color: bool | None = None, width: int | None = None
) -> str:
    """The whole answer; `width` and `color` are the terminal's if they are not given."""
    color = is_colored() if color is None else color
    if width is None:
        width = shutil.get_terminal_size((WIDTH, 24)).columns if is_terminal(sys.stdout) else WIDTH
    parts = [
        rows_text(_head(found)),
        _labels(found),
        rows_text(_strongest(found)) if found.strengths else "",
        "\n".join(_finding(one, color=color, width=width) for one in found.findings),
        rows_text(_time(planned)),
        _verdict(found),
    ]
    return "\n".join(part for part in parts if part)


def _head(found: Checkup) -> dict[str, str]:
    part = {
        split: looked for split, looked in found.looked_at.items() if looked < found.num_rows[split]
    }
    return {
        "checkup": found.name,
        "rows": _sizes(found.num_rows),
        "where": f"keeps {found.num_read:,} of {found.num_all:,} rows"
        if found.num_read < found.num_all
        else "",
        "looked at": f"all labels; of features {_sizes(part)}" if part else "",
        "columns": f"{len(found.columns)} features",
    }


def _sizes(num_rows: object) -> str:
    assert isinstance(num_rows, dict)
    return ", ".join(f"{count:,} {split}" for split, count in num_rows.items())


# ---- labels --------------------------------------------------------------------------------


def _labels(found: Checkup) -> str:
    """A line a task, and one more over all rows for a task with a condition."""
    by_task: dict[str, dict[str, LabelCounts]] = {}
    for one in found.labels:
        by_task.setdefault(one.task, {})[one.split] = one
    splits = [split for split, count in found.num_rows.items() if count]
    rows: list[list[str]] = []
    for name, counts in by_task.items():
        first = counts[splits[0]]
        after = f"{name}, where {first.given} is 1" if first.given else name
        rows.append([after, *(_rate(counts[split]) for split in splits)])
        if first.given and first.kind == "binary":
            joint = [_percent(counts[split].joint_rate) for split in splits]
            rows.append([f"{name}, of all rows", *joint])
    columns = list(zip(*[["label", *splits], *rows], strict=True))
    return aligned([columns[0], *(_right(column) for column in columns[1:])])


def _rate(one: LabelCounts) -> str:
    """`76,099 of 171,671  44.3 %`, or the mean of a number."""
    if one.kind == "regression":
        return f"{one.num_observed:,} rows, mean {one.rate:.4g}"
    return f"{one.num_positive:,} of {one.num_observed:,}  {_percent(one.rate):>6}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %" if share < 0.1 else f"{100 * share:.1f} %"


def _right(column: tuple[str, ...]) -> list[str]:
    width = max(map(len, column))
    return [cell.rjust(width) for cell in column]


def _strongest(found: Checkup) -> dict[str, list[str]]:
    """Which features tell most alone, by task."""
    lines = []
    for task in dict.fromkeys(one.task for one in found.strengths):
        told = [f"{one.feature} {one.auc:.3f}" for one in found.strongest(task, NUM_STRONGEST)]
        lines.append(f"{task}: {', '.join(told)}")
    return {"alone": [*lines, "(AUC of one feature on valid rows)"]}


# ---- findings ------------------------------------------------------------------------------


def _finding(one: Finding, *, color: bool, width: int) -> str:
    """The severity and the place, below it the sentence, and what to write after an arrow."""
    paint, plain = (COLORS[one.severity], PLAIN) if color else ("", "")
    lines = [f"{paint}{one.severity}{plain}  {one.place}", *_wrapped(one.says, "  ", width)]
    if one.write:
        lines += _wrapped(f"→ {one.write}", "  ", width)
    return "\n".join(lines) + "\n"


def _wrapped(sentence: str, indent: str, width: int) -> Iterator[str]:
    yield from textwrap.wrap(
        sentence,
        max(40, width),
        initial_indent=indent,
        subsequent_indent=indent + ("  " if sentence.startswith("→") else ""),
        break_long_words=False,
        break_on_hyphens=False,
    )


# ---- time ----------------------------------------------------------------------------------


def _time(planned: DryRun) -> dict[str, str | list[str]]:
    return {
        "step": [
            f"{burst.family}, {text.count(burst.params)} parameters: {burst.step_ms:.1f} ms for"
            f" {burst.batch_size:,} rows"
            for burst in planned.bursts
        ],
        "search": f"{planned.num_trials} trials, {time}" if (time := time_text(planned)) else "",
    }


def _verdict(found: Checkup) -> str:
    counts = {name: sum(one.severity == name for one in found.findings) for name in SEVERITIES}
    said = ", ".join(
        f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items() if count
    )
    return f"{said or 'nothing to complain about'}\n"
