"""What is said while a search runs: one moving line on a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from automtl.analysis import text
from automtl.config import Objective
from automtl.search.estimate import done_epochs, make_schedule, most_reruns, remaining_epochs
from automtl.search.fidelity import Ladder
from automtl.search.limits import device_s
from automtl.search.plan import num_exempt, plan_trials
from automtl.search.progress import Progress
from automtl.spec.domains import largest
from automtl.spec.schema import Spec
from automtl.terminal.console import is_terminal, rejected_text
from automtl.terminal.moving_line import MovingLine

if TYPE_CHECKING:
    from automtl.study import Study, TrialRecord

__all__ = [
    "LineProgress",
    "LiveProgress",
    "Pace",
    "bar",
    "counts",
    "progress",
    "standing",
    "trial_line",
]

BAR = 12  # characters
MAX_WARNINGS = 5  # about the rows, before a search
RECENT = 10  # complete trials that the growth of the hypervolume is told of


def progress(spec: Spec, stream: TextIO | None = None) -> Progress:
    """The progress that suits `stream` (stderr): one moving line, or a line a trial.

    `spec` is what is searched now; a study that is resumed may have had other limits.
    """
    stream = stream or sys.stderr
    return LiveProgress(spec, stream) if is_terminal(stream) else LineProgress(spec, stream)


class LineProgress:
    """A line for every trial that has ended."""

    def __init__(self, spec: Spec, stream: TextIO) -> None:
        self._spec, self._stream = spec, stream

    def on_start(self, study: Study, ladder: Ladder, warnings: Sequence[str] = ()) -> None:
        self._study, self._pace = study, Pace(self._spec, study, ladder)
        for line in [*_first_lines(self._spec, self._pace, ladder), *_warning_lines(warnings)]:
            self._write(line)

    def on_change(self, record: TrialRecord) -> None:
        pass

    def on_trial(self, record: TrialRecord) -> None:
        self._pace.note()
        self._write(f"{trial_line(record, self._study)}  ({self._pace})")

    def on_end(self, study: Study) -> None:
        for line in _last_lines(study):
            self._write(line)

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


class LiveProgress:
    """One line that moves (two where the terminal is narrow), and a line above it for every
    failure.

    The study is read when a trial ends, in the search's own thread; the moving line shows what
    was read then.
    """

    def __init__(self, spec: Spec, stream: TextIO) -> None:
        self._spec = spec
        self._moving = MovingLine(stream, self._line)

    def on_start(self, study: Study, ladder: Ladder, warnings: Sequence[str] = ()) -> None:
        self._study, self._pace = study, Pace(self._spec, study, ladder)
        for line in _first_lines(self._spec, self._pace, ladder):
            self._moving.say(line)
        for line in _warning_lines(warnings):
            self._moving.say(line, style="yellow", whole=True)
        self._read()
        self._moving.start()

    def on_change(self, record: TrialRecord) -> None:
        pass

    def on_trial(self, record: TrialRecord) -> None:
        self._pace.note()
        self._read()
        if record.state == "failed":
            self._moving.say(trial_line(record, self._study), style="yellow")

    def on_end(self, study: Study) -> None:
        self._moving.stop()
        for line in _last_lines(study):
            self._moving.say(line)

    def _read(self) -> None:
        self._counts, self._standing = counts(self._study), standing(self._study)

    def _line(self) -> tuple[str, ...]:
        first = "  ".join(filter(None, [f"{self._pace.bar()} {self._pace}", self._counts]))
        return first, self._standing


# ---- how long it takes ---------------------------------------------------------------------


class Pace:
    """How far a search is, and how long the rest may take.

    What trials have seen since this process began gives the speed, with all that runs at once;
    the rungs say how much is left (`search.estimate`). The limits in hours cap it; what is trained
    again to confirm comes on top.
    """

    def __init__(self, spec: Spec, study: Study, ladder: Ladder) -> None:
        self._spec, self._study = spec, study
        self._schedule = make_schedule(spec, ladder)
        self._num_exempt = num_exempt(plan_trials(spec))
        self._start = self._last = time.monotonic()
        self._seen_before = done_epochs(study.trials())
        self._device_before = device_s(study.trials(), spec.trial)
        self._wall_before = study.wall_s
        self._left_s: float | None = None
        self.total = study.budget
        self.before = self.done = _ended(study)

    def note(self) -> None:
        """A trial has ended: reads the study."""
        trials = self._study.trials()
        self.done, self._last = _ended(self._study), time.monotonic()
        took_s = self._last - self._start
        seen = done_epochs(trials) - self._seen_before
        if seen <= 0 or took_s <= 0:
            return
        left = remaining_epochs(
            self._schedule, trials, budget=self.total, num_exempt=self._num_exempt
        )
        limits, device = self._spec.search, device_s(trials, self._spec.trial)
        ends_s = [left * took_s / seen]
        if limits.wall_hours is not None:
            ends_s.append(limits.wall_hours * 3600 - self._wall_before - took_s)
        if limits.device_hours is not None and device > self._device_before:
            rest = limits.device_hours * 3600 - device
            ends_s.append(rest * took_s / (device - self._device_before))
        confirm_s = most_reruns(self._spec) * self._schedule.epochs * took_s / seen
        self._left_s = max(0.0, min(ends_s)) + confirm_s

    def eta_s(self) -> float | None:
        """Seconds to the end from now; None while nothing has ended."""
        if self._left_s is None:
            return None
        return max(0.0, self._left_s - (time.monotonic() - self._last))

    def bar(self) -> str:
        return bar(self.done, self.total)

    def __str__(self) -> str:
        """`7/24, eta 3m10s`; before the first trial has ended, the time since the start."""
        eta = self.eta_s()
        since = text.duration(time.monotonic() - self._start)
        return f"{self.done}/{self.total}, " + (
            f"{since} so far" if eta is None else f"eta {text.duration(eta)}"
        )


def bar(done: int, total: int, width: int = BAR) -> str:
    """`━━━━────────`."""
    filled = round(width * done / total) if total else 0
    return "━" * filled + "─" * (width - filled)


# ---- what is said --------------------------------------------------------------------------


def trial_line(record: TrialRecord, study: Study) -> str:
    """`t0007 complete mmoe·esmm click.auc 0.7312 params 2.61M`, or why it was stopped or failed."""
    parts = [record.id, record.state, text.model_name(record.config)]
    if record.values is not None:
        for objective in study.objectives:
            value = text.metric(objective.name, record.values[objective.name])
            parts.append(f"{objective.name} {value}")
    elif record.reason:
        parts.append(record.reason.splitlines()[0])
    return " ".join(parts)


def counts(study: Study) -> str:
    """`9 complete, 5 pruned, 1 failed, 40 rejected`, without what there is none of."""
    trials = study.trials()
    numbers = {
        state: sum(record.state == state for record in trials)
        for state in ("complete", "pruned", "failed")
    } | {"rejected": study.num_rejected}
    return ", ".join(f"{number:,} {name}" for name, number in numbers.items() if number)


def standing(study: Study) -> str:
    """`click.auc ↑ 0.7312  params ↓ 2.61M  hv +0.8 % in the last 10`: the best of the front in
    each objective, and how much the latest complete trials have added to its hypervolume."""
    bests = [
        f"{text.heading(objective)} {text.metric(objective.name, best)}"
        for objective in study.objectives
        if (best := _best(study, objective)) is not None
    ]
    return "  ".join(filter(None, [*bests, _growth(study)]))


def _growth(study: Study) -> str:
    """The volume itself means nothing to a reader, and its reference point moves as it grows."""
    trace = [volume for _, volume in study.hypervolume_trace()]
    recent = min(RECENT, len(trace) // 2)
    if recent < 4 or trace[-1] <= 0:
        return ""
    share = 100 * (1 - trace[-1 - recent] / trace[-1])
    return f"hv +{share:.1f} % in the last {recent}"


def _best(study: Study, objective: Objective) -> float | None:
    values = [r.values[objective.name] for r in study.front() if r.values is not None]
    if not values:
        return None
    return max(values) if objective.direction == "maximize" else min(values)


def _first_lines(spec: Spec, pace: Pace, ladder: Ladder) -> list[str]:
    before = f", {pace.before} done before" if pace.before else ""
    rungs = " and ".join(f"{epochs:.3g}" for epochs in ladder.rungs)
    judged = f", judged after {rungs} of {largest(spec.search.epochs):g} epochs" if rungs else ""
    lines = [f"searching {spec.name}: {pace.total} trials{before}{judged}"]
    return [*lines, f"note: {ladder.why}"] if ladder.why else lines


def _warning_lines(warnings: Sequence[str]) -> list[str]:
    lines = [f"warning: {one}" for one in warnings[:MAX_WARNINGS]]
    if len(warnings) > MAX_WARNINGS:
        lines.append(f"warning: {len(warnings) - MAX_WARNINGS} more, see automtl doctor")
    return lines


def _last_lines(study: Study) -> list[str]:
    rejected = rejected_text(study.num_rejected)
    return [
        *([f"ended: {study.ended}"] if study.ended else []),
        *([f"rejected: {rejected}"] if rejected else []),
    ]


def _ended(study: Study) -> int:
    return sum(record.state != "running" for record in study.trials())
