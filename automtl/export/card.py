"""What a bundle says to people: the model card, and the spec that trains the model again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

import jinja2

from automtl.analysis import text
from automtl.analysis.verdicts import gap
from automtl.config import MEASURED_COSTS, METRICS
from automtl.export.manifest import AucScore, Manifest
from automtl.space import fixed_spec
from automtl.spec.load import dump_yaml
from automtl.spec.schema import Spec

__all__ = ["again", "config_yaml", "gap_text", "render_card", "with_error"]

HEADER = """\
# {study}, trial {trial}: {model}, every knob fixed.
#
# Check it:       automtl validate config.yaml
# Train it again: {command}
#
# The seed is that of the exported model, and the first that `automtl train` takes: the same rows,
# threads and machine give the same weights.
#
# It names its data by absolute path; on another machine: --set data.path=...
"""


def config_yaml(spec: Spec, manifest: Manifest) -> str:
    """The study's spec with every knob fixed to the trial's, as a file that runs from anywhere."""
    plain = fixed_spec(spec, manifest.config)
    plain["data"] = spec.to_dict(absolute_paths=True)["data"]
    plain["search"]["trials"] = 2  # this one, and single_task to compare it with
    plain["search"]["seed"] = manifest.provenance.seed
    header = HEADER.format(
        study=manifest.provenance.study,
        trial=manifest.provenance.trial,
        model=text.model_name(manifest.config),
        command=again(manifest),
    )
    return header + "\n" + dump_yaml(plain)


def again(manifest: Manifest) -> str:
    """The command that gives the model of a bundle again, from inside of it."""
    rows = "" if manifest.trained_on == "train+valid" else " --rows train"
    about = manifest.provenance
    return f"automtl train config.yaml{rows} --out reports/{about.study}-{about.trial}"


def render_card(manifest: Manifest) -> str:
    """The model card, Markdown; everything it says is in the manifest."""
    template = resources.files("automtl.export").joinpath("card.md.j2").read_text("utf-8")
    environment = jinja2.Environment(  # Markdown: what is not ours stands as code (`_code`)
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    environment.filters["code"] = _code
    environment.filters["block"] = _block
    rendered = environment.from_string(template).render(**_facts(manifest))
    lines = "\n".join(line.rstrip() for line in rendered.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"


def gap_text(score: AucScore) -> str:
    """`+0.31 [-0.10, +0.72]`, in points of AUC; a dash where there is none."""
    if score.gap is None:
        return "–"
    estimate, low, high = (
        text.gain(score.name, value)
        for value in (score.gap.estimate, score.gap.low, score.gap.high)
    )
    return f"{estimate} [{low}, {high}]"


def with_error(score: AucScore) -> str:
    """`0.7321 ± 0.0031`: the AUC and its standard error."""
    if score.auc is None:
        return "–"
    return f"{score.auc.estimate:.4f} ± {score.auc.standard_error:.4f}"


def _code(name: str) -> str:
    """A column or a path as code in a line, whatever it holds: HTML in it stays text."""
    line = re.sub(r"\s*[\r\n]+\s*", " ", name)
    fence = "`" * (_longest_ticks(line) + 1)
    return f"{fence} {line} {fence}" if len(fence) > 1 else f"`{line}`"


def _block(command: str) -> str:
    """Lines as a block of code that none of them can end."""
    fence = "`" * max(3, _longest_ticks(command) + 1)
    return f"{fence}\n{command}\n{fence}"


def _longest_ticks(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


# ---- the parts of the card -----------------------------------------------------------------


def _facts(manifest: Manifest) -> dict[str, Any]:
    measured, reference, about = manifest.measured, manifest.reference, manifest.provenance
    splits = [split for split, count in manifest.num_rows.items() if count]
    return {
        "provenance": about,
        "measured": measured,
        "reference": reference,
        "is_reference": reference is not None and reference.trial == measured.trial,
        "model": text.model_name(manifest.config),
        "tasks": manifest.tasks,
        "has_binary": any(task.kind == "binary" for task in manifest.tasks),
        "has_conditions": any(task.given is not None for task in manifest.tasks),
        "has_seen_valid": manifest.trained_on == "train+valid",
        "again": again(manifest),
        "is_esmm": manifest.config.model.dependency == "esmm",
        "inputs": manifest.inputs,
        "outputs": manifest.outputs,
        "onnx": manifest.onnx,
        "costs": [_cost(name, value) for name, value in manifest.costs.items()],
        "rows": _metric_rows(manifest),
        "verdicts": [_verdict(score) for score in manifest.test_scores if score.gap is not None],
        "confirmed": _confirmed_rows(manifest),
        "confirmed_how": _confirmed_how(manifest),
        "splits": splits,
        "num_rows": [f"{manifest.num_rows[split]:,}" for split in splits],
        "labels": _label_rows(manifest, splits),
        "facts": [
            ("study", about.study),
            ("trial", f"{about.trial} ({about.role}), seed {about.seed}"),
            ("trained", about.trained or "unknown"),
            ("exported", about.exported),
            ("data fingerprint", f"`{about.data_fingerprint[:16]}`"),
            ("versions", ", ".join(f"{name} {value}" for name, value in about.versions.items())),
        ],
    }


def _cost(name: str, value: float) -> str:
    """`2.61M params`; a latency says what it is of, and when it was measured."""
    told = "a batch (measured in the search)" if name in MEASURED_COSTS else name
    return f"{text.metric(name, value)} {told}"


def _metric_rows(manifest: Manifest) -> list[dict[str, str]]:
    measured = manifest.measured
    before = None if manifest.reference is None else manifest.reference.validation
    after = None if manifest.reference is None else manifest.reference.test
    scores = {score.name: score for score in manifest.test_scores}
    objectives = {one.name for one in manifest.objectives}
    rows: list[dict[str, str]] = []
    for name in measured.validation:
        score = scores.get(name)
        label = f"{name} {_arrow(manifest, name)}"
        rows.append(
            {
                "name": f"**{label}**" if name in objectives else label,
                "validation": _cell(name, measured.validation),
                "test": with_error(score) if score is not None else _cell(name, measured.test),
                "reference_validation": _cell(name, before),
                "reference_test": _cell(name, after),
                "gap": gap_text(score) if score is not None else "–",
            }
        )
    return rows


def _confirmed_rows(manifest: Manifest) -> list[dict[str, str]]:
    """The means over fresh seeds of each task objective; empty if they were not confirmed."""
    if manifest.confirmed is None:
        return []
    model = manifest.confirmed.model
    rows = []
    for name, valid in model.valid.items():
        test = model.test.get(name)
        versus = None if test is None else test.versus_reference
        rows.append(
            {
                "name": f"{name} {_arrow(manifest, name)}",
                "validation": text.metric(name, valid.mean),
                "test": "–" if test is None else text.metric(name, test.mean),
                "interval": "–"
                if test is None or test.low is None or test.high is None
                else f"{text.metric(name, test.low)} to {text.metric(name, test.high)}",
                "gain": "–" if versus is None else gap(name, versus),
                "sure": "" if versus is None else "yes" if versus.is_told_apart else "no",
            }
        )
    return rows


def _confirmed_how(manifest: Manifest) -> str:
    found = manifest.confirmed
    if found is None:
        return ""
    over = "rows" if found.group is None else f"{_code(found.group)} groups"
    if manifest.trained_on == "train+valid":
        return (
            f"Means of {found.seeds} trainings with different seeds; this bundle is one of them. "
            f"Intervals hold 95 %, over seeds and {over}."
        )
    return (
        f"Means of {found.seeds} trainings with fresh seeds; this bundle is the one whose "
        f"validation score is the median. Intervals hold 95 %, over seeds and {over}; gains over "
        "the tuned single_task are told apart at 5 % after Holm's correction."
    )


def _arrow(manifest: Manifest, name: str) -> str:
    task, _, metric = name.rpartition(".")
    kinds = {one.name: one.kind for one in manifest.tasks}
    return text.ARROWS[METRICS[kinds[task]][metric]]


def _cell(name: str, metrics: Mapping[str, float] | None) -> str:
    return text.metric(name, metrics[name]) if metrics is not None and name in metrics else "–"


def _verdict(score: AucScore) -> str:
    """What the interval of a gap allows to say."""
    assert score.gap is not None
    about = f"{score.num_rows:,} rows, {score.num_positives:,} of them positive"
    if not score.gap.excludes(0.0):
        said = "cannot be told from single_task's"
    else:
        said = (
            "is higher than single_task's"
            if score.gap.estimate > 0
            else ("is LOWER than single_task's")
        )
    return f"{score.name} on test ({about}) {said}: {gap_text(score)} points."


def _label_rows(manifest: Manifest, splits: list[str]) -> list[dict[str, Any]]:
    facts = {(one.task, one.split): one for one in manifest.labels}
    rows: list[dict[str, Any]] = []
    for task in manifest.tasks:
        cells = []
        for split in splits:
            one = facts[task.name, split]
            mean = f"{one.mean:.2%}" if task.kind == "binary" else f"{one.mean:.4g}"
            cells.append(f"{one.num_observed:,}, {mean}")
        given = f" (given {task.given})" if task.given else ""
        rows.append({"task": f"{task.name}{given}", "cells": cells})
    return rows
