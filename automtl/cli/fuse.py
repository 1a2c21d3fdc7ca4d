"""`automtl fuse`: one score made of several predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automtl.cli.options import AsJson, json_text

__all__ = ["fuse"]


def fuse(
    place: Annotated[Path, typer.Argument(metavar="PLACE", help="A run, or a bundle of `export`.")],
    score: Annotated[
        str, typer.Option(metavar="TEXT", help="What to rank by: click^a * long_view^b.")
    ],
    metric: Annotated[
        str, typer.Option(metavar="NAME", help="auc, ndcg@K or value@K; K is a number.")
    ] = "auc",
    event: Annotated[
        str | None,
        typer.Option(metavar="TASK", help="What should come first; the last conditional task."),
    ] = None,
    group: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="A list each of its values: user_id.")
    ] = None,
    value: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="What an event is worth, for value@K.")
    ] = None,
    how: Annotated[
        str | None,
        typer.Option("--pick", metavar="HOW", help="Of a run, as in `export`; the knee."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the exponents of one score made of several predictions."""
    from automtl.config import to_jsonable
    from automtl.fusion.fuse import fuse as find
    from automtl.fusion.text import fusion_text
    from automtl.terminal import console
    from automtl.terminal.rows_line import PATIENCE_S, RowsLine

    with RowsLine(patience_s=PATIENCE_S) as line:
        found = find(
            place,
            score,
            metric=metric,
            event=event,
            group=group,
            value=value,
            how=how,
            report=line.report,
        )
    console.emit(json_text(to_jsonable(found)) if as_json else fusion_text(found))
