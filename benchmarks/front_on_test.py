"""A finished search on TEST rows: the knee, the best of each task and the single_task reference.

    python benchmarks/front_on_test.py RUN [--group user_id]

Every pick is exported and scores the raw test rows as `automtl predict` would. Prints Markdown:
each AUC with its standard error, the gap to single_task with a 95 % interval, and the validation
AUCs that the picks were made on.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from automtl.analysis import text
from automtl.data.build import raw_columns, source_frame
from automtl.data.cache import EncodedData
from automtl.data.columns import as_keys
from automtl.errors import RunError
from automtl.export.bundle import Bundle
from automtl.export.card import gap_text, with_error
from automtl.export.manifest import AucScore, Manifest
from automtl.export.pick import Pick, pick
from automtl.export.scores import Predictions, auc_scores
from automtl.export.write import export_bundle
from automtl.study import Study
from automtl.study_rows import encoded_data


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One exported trial and all the picks that it is."""

    names: tuple[str, ...]
    manifest: Manifest
    scores: tuple[AucScore, ...]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path, help="the run's directory")
    parser.add_argument(
        "--group", help="rows with the same value of this column are drawn together"
    )
    options = parser.parse_args(arguments)
    print(front_on_test(Study.open(options.run), group=options.group))


def front_on_test(study: Study, *, group: str | None = None) -> str:
    """The report as Markdown. RunError without a reference, or without test rows."""
    data = encoded_data(study)
    if not data.num_rows["test"]:
        raise RunError(f"{study.run_dir}: its split has no test rows; there is nothing to report")
    rows = test_frame(study, data, group)
    groups_N = None if group is None else as_keys(rows[group]).fill_null("").to_numpy()
    picks = distinct_picks(study)
    with tempfile.TemporaryDirectory() as directory:
        bundles = [
            Bundle.load(export_bundle(study, chosen, Path(directory) / chosen.record.id))
            for chosen in picks.values()
        ]
        predictions = [predicted(bundle, rows) for bundle in bundles]
    lines = [
        Line(
            names=names,
            manifest=bundle.manifest,
            scores=auc_scores(
                np.asarray(data.rows("test").labels_NK),
                data.tasks,
                scored,
                reference=None if "reference" in names else predictions[-1],
                groups_N=groups_N,
            ),
        )
        for names, bundle, scored in zip(picks, bundles, predictions, strict=True)
    ]
    how = "DeLong, rows taken as independent"
    if group is not None:
        num_groups = rows[group].n_unique()
        how = f"Obuchowski, rows drawn together by {group}, {num_groups:,} groups"
    return "\n\n".join(report(study, lines, how))


def distinct_picks(study: Study) -> dict[tuple[str, ...], Pick]:
    """Knee, best of each task, reference (last): a trial that is several of them stands once."""
    tasks = dict.fromkeys(one.task for one in study.objectives if one.task is not None)
    chosen: dict[int, tuple[list[str], Pick]] = {}
    for how in ("knee", *(f"best:{task}" for task in tasks), "reference"):
        found = pick(study, how)
        chosen.setdefault(found.record.number, ([], found))[0].append(how)
    ordered = sorted(chosen.values(), key=lambda entry: "reference" in entry[0])
    return {tuple(names): found for names, found in ordered}


def test_frame(study: Study, data: EncodedData, group: str | None) -> pl.DataFrame:
    """The raw test rows in the order of the cache, with the group's column."""
    frame = source_frame(study.spec)
    if group is not None and group not in frame.columns:
        frame = frame.hstack(raw_columns(study.spec, [group]))
    return frame[data.source_rows("test")]


def predicted(bundle: Bundle, rows: pl.DataFrame) -> Predictions:
    frame = bundle.predict(rows)
    return {one.prediction: frame[one.name].to_numpy() for one in bundle.manifest.outputs}


# ---- Markdown ------------------------------------------------------------------------------


def report(study: Study, lines: Sequence[Line], how: str) -> Iterable[str]:
    reference = lines[-1].manifest
    regression = [
        name
        for task in reference.tasks
        if task.kind == "regression"
        for name in reference.measured.validation
        if name.startswith(f"{task.name}.")
    ]
    scores = lines[-1].scores
    yield f"**{study.spec.name}** on TEST: {reference.num_rows['test']:,} rows"
    yield "\n".join(
        f"- `{one.name}`, {one.space}: {one.num_rows:,}, of which {one.num_positives:,} positive"
        for one in scores
    )
    yield table(
        ["pick", "trial", "model", "params", "epochs"]
        + [title for one in scores for title in (f"{one.name} ↑", "gap")]
        + [f"{name} ↓" for name in regression],
        [
            [*about(line)]
            + [cell for one in line.scores for cell in (with_error(one), gap_text(one))]
            + [text.metric(name, (line.manifest.measured.test or {})[name]) for name in regression]
            for line in lines
        ],
    )
    yield (
        "± is a standard error. A gap is in points of AUC (hundredths) to the single_task "
        f"reference, the best on validation of {reference.provenance.reference_trials} tuned "
        f"trials, on the same rows, with its 95 % interval ({how}). All picks were made on "
        "validation rows. The intervals hold the models fixed: another training seed would move "
        "the numbers as well."
    )
    yield "\n".join(verdicts(lines))
    names = [one.name for one in scores] + regression
    yield "On VALIDATION rows, on which the picks were made:"
    yield table(
        ["pick", "trial", *names],
        [
            [*about(line)[:2]]
            + [text.metric(name, line.manifest.measured.validation[name]) for name in names]
            for line in lines
        ],
    )


def about(line: Line) -> tuple[str, ...]:
    manifest = line.manifest
    return (
        ", ".join(line.names),
        manifest.measured.trial,
        text.model_name(manifest.config),
        text.metric("params", manifest.costs["params"]),
        f"{manifest.measured.epochs:g}",
    )


def verdicts(lines: Sequence[Line]) -> Iterable[str]:
    gaps = [(line, one) for line in lines for one in line.scores if one.gap is not None]
    apart = [(line, one) for line, one in gaps if one.gap is not None and one.gap.excludes(0.0)]
    yield (
        f"- {len(apart)} of {len(gaps)} gaps exclude 0; of {len(gaps)} true zeros, "
        f"{0.05 * len(gaps):.1f} would by chance."
    )
    for line, one in apart:
        yield f"- {', '.join(line.names)}: {one.name} {gap_text(one)}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


if __name__ == "__main__":
    main()
