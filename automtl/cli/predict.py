"""`automtl predict`: the rows of a file, scored by a bundle."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from automtl.cli.options import AsJson, Encoding, Engine, json_text

__all__ = ["predict"]


def predict(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A directory of `export`.")],
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA", help="Parquet, CSV or TSV: files, globs, directories, URLs."
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
    encoding: Encoding = "utf8",
    engine: Engine = "auto",
    as_json: AsJson = False,
) -> None:
    """Score raw rows with an exported model."""
    from automtl.config import to_jsonable
    from automtl.export.predict import predict_file
    from automtl.spec.data_scalars import check_encoding
    from automtl.terminal import console
    from automtl.terminal.rows_line import PATIENCE_S, RowsLine

    check_encoding(encoding)
    fused = None
    if score is not None:
        from automtl.fusion.stream import fused_as

        fused = fused_as(score)
    with RowsLine(patience_s=PATIENCE_S) as line:
        summary = predict_file(
            bundle,
            data,
            out,
            keep=keep or (),
            fused=fused,
            missing_ok=missing_ok,
            encoding=encoding,
            engine=engine,
            progress=partial(line.report, out.name),
        )
    console.error(console.scored_text(summary).rstrip())
    if as_json:
        console.emit(json_text(to_jsonable(summary) | {"out": str(summary.out)}))
