"""`automtl export`: a trial as a model to serve."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from automtl.cli.options import AsJson, RunPath, json_text

__all__ = ["export", "export_command"]


def export(
    run: RunPath,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The bundle to write.")],
    how: Annotated[
        str,
        typer.Option(
            "--pick",
            metavar="HOW",
            help="knee, best:TASK, weights:OBJECTIVE=2,…, within:1se, reference or an id: t0012.",
        ),
    ] = "knee",
    formats: Annotated[
        Literal["torch", "onnx", "all"],
        typer.Option(
            "--format",
            help="onnx and all: also a graph for ONNX Runtime, over the same weights.",
        ),
    ] = "torch",
    as_json: AsJson = False,
) -> None:
    """Write one trial as a model that can be served."""
    from automtl.export.pick import pick
    from automtl.export.write import export_bundle
    from automtl.study import Study
    from automtl.terminal import console
    from automtl.terminal.rows_line import PATIENCE_S, RowsLine
    from automtl.tracking.afterwards import track_bundle

    study = Study.open(run)
    chosen = pick(study, how)
    with RowsLine(patience_s=PATIENCE_S) as line:
        bundle = export_bundle(study, chosen, to, formats=formats, report=line.report)
    tracked = track_bundle(study.run_dir, bundle, chosen.record.id)
    next_ = f"automtl predict {shlex.quote(str(bundle))} DATA --out scores.parquet"
    if as_json:
        document = {
            "bundle": str(bundle),
            "trial": chosen.record.id,
            "why": chosen.why,
            "logged": list(tracked),
            "next": next_,
        }
        console.emit(json_text(document))
        return
    console.emit(
        f"picked {chosen.record.id}: {chosen.why}\n"
        f"bundle: {bundle}\n"
        + "".join(f"logged: {place}\n" for place in tracked)
        + f"next:   {next_}"
    )


def export_command(run: Path) -> str:
    """What to type for the knee of a run."""
    quoted = shlex.quote(str(run))
    return f"automtl export {quoted} --pick knee --to {quoted}/bundle"
