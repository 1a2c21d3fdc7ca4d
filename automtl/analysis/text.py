"""Values as people read them: one place that writes a metric, a cost, a gain, a duration.

Console and page share these, so that a number looks the same in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from automtl.config import MEASURED_COSTS, MODEL_COSTS, Objective, TrialConfig

if TYPE_CHECKING:
    from automtl.study import Study, TrialRecord

__all__ = [
    "ARROWS",
    "count",
    "duration",
    "gain",
    "gain_scale",
    "gain_unit",
    "heading",
    "knob",
    "metric",
    "model_name",
    "trial_yaml",
    "trial_yamls",
]

ARROWS: Mapping[str, str] = {"maximize": "↑", "minimize": "↓"}

_POINTS = ("auc", "joint_auc")  # gains of these are told in points: hundredths


def heading(objective: Objective) -> str:
    """`click.auc ↑`: the name and the way to better."""
    return f"{objective.name} {ARROWS[objective.direction]}"


def model_name(config: TrialConfig) -> str:
    """`mmoe·esmm`, or `mmoe` alone where tasks do not depend on each other."""
    model = config.model
    return model.family if model.dependency == "none" else f"{model.family}·{model.dependency}"


def count(value: float) -> str:
    """`870`, `41.2k`, `2.61M`, `1.30G`: three significant digits."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 0.9995:
            scaled = value / size
            return f"{_three_digits(scaled)}{unit}"
    return f"{value:.0f}"


def _three_digits(value: float) -> str:
    """`0.421`, `4.21`, `42.1`, `421`: with the zeros at the end."""
    size = abs(value)
    decimals = 3 if size < 0.9995 else 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{value:.{decimals}f}"


def metric(name: str, value: float) -> str:
    """The value in its own units: counts as `2.61M`, probabilities with four decimals, a latency
    as `4.21 ms`."""
    if name in MEASURED_COSTS:
        return f"{_three_digits(value)} ms"
    if name in MODEL_COSTS:
        return count(value)
    if name.rpartition(".")[2] in (*_POINTS, "logloss", "joint_logloss"):
        return f"{value:.4f}"
    return f"{value:.4g}"


def gain(name: str, difference: float) -> str:
    """Signed, + is better: `+0.31` points (hundredths) for an AUC, else the metric's own units."""
    suffix = name.rpartition(".")[2]
    if suffix in _POINTS:
        text = f"{difference * 100:+.2f}"
    elif suffix in ("logloss", "joint_logloss"):
        text = f"{difference:+.4f}"
    else:
        text = f"{difference:+.3g}"
    return text.replace("-", "+") if float(text) == 0 else text


def gain_unit(name: str) -> str:
    """What `gain` counts in: `points` for an AUC, nothing where it is the metric's own unit."""
    return "points" if name.rpartition(".")[2] in _POINTS else ""


def gain_scale(name: str) -> float:
    """What a gain is multiplied by to be told in its `gain_unit`."""
    return 100.0 if gain_unit(name) else 1.0


def duration(seconds: float) -> str:
    """`42s`, `3m10s`, `2h05m`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m"


def knob(value: Any) -> str:
    """A knob's value: floats with three significant digits, lists of widths as `128×64`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, (list, tuple)):
        return "×".join(str(part) for part in value) or "none"
    return str(value)


def trial_yaml(study: Study, record: TrialRecord) -> str:
    """The study's spec with every knob fixed to this trial's: a spec that runs as it stands."""
    return trial_yamls(study, [record])[0]


def trial_yamls(study: Study, records: Iterable[TrialRecord]) -> list[str]:
    """`trial_yaml` of many; what they share is written once, since writing YAML is slow."""
    from automtl.space import fixed_spec  # here: a table of trials needs no YAML
    from automtl.spec.load import dump_yaml

    written: dict[str, str] = {}

    def part(path: tuple[str, ...], value: Any) -> str:
        key = f"{path} {value!r}"
        if key not in written:
            for name in reversed(path):
                value = {name: value}
            written[key] = dump_yaml(value).removeprefix(f"{path[0]}:\n")
        return written[key]

    def section(name: str, value: Any) -> str:
        if not (isinstance(value, Mapping) and value):
            return part((name,), value)
        return f"{name}:\n" + "".join(part((name, key), inner) for key, inner in value.items())

    specs = (fixed_spec(study.spec, record.config) for record in records)
    return ["".join(section(*item) for item in spec.items()) for spec in specs]
