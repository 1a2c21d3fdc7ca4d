"""`automtl predict`: registered by `cli.py`, which says what all commands keep to."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from automtl.cli_options import AsJson, json_text

__all__ = ["predict"]

QUIET_S = 3.0  # nothing is said of what is done before


def predict(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A directory of `export`.")],
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA...", help="Parquet, CSV or TSV: files, globs, directories, URLs."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Parquet, CSV or TSV to write.")
    ],
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="A column of DATA to write beside the scores."),
    ] = None,
    score: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Also one number to rank by: click * long_view^2."),
    ] = None,
    missing_ok: Annotated[
        bool,
        typer.Option("--missing-ok", help="Take a column that DATA lacks as missing in every row."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Score raw rows with an exported model."""
    from automtl import console
    from automtl.config import to_jsonable
    from automtl.export.predict import predict_file
    from automtl.prepare_line import PrepareLine

    fused = None
    if score is not None:
        from automtl.fusion.stream import fused_as

        fused = fused_as(score)
    started = time.monotonic()
    with PrepareLine() as line:

        def progress(share: float, num_rows: int) -> None:
            if time.monotonic() - started > QUIET_S:
                line.report(out.name, share, num_rows)

        summary = predict_file(
            bundle,
            data,
            out,
            keep=keep or (),
            fused=fused,
            missing_ok=missing_ok,
            progress=progress,
        )
    console.error(console.scored_text(summary).rstrip())
    if as_json:
        console.emit(json_text(to_jsonable(summary) | {"out": str(summary.out)}))
