"""`automtl data …`: the commands about rows. Like `cli.py`, each imports what it needs itself."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from automtl.data.sets.registry import DEFAULT_OUT, SETS, public_set

__all__ = ["app"]

SIDES = ("train", "valid", "test")

app = typer.Typer(help="Get rows ready for a search.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def prepare(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"One of {', '.join(SETS)}.")],
    raw_dir: Annotated[
        Path,
        typer.Argument(metavar="RAW_DIR", help="The folder, or the archive, that was downloaded."),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the Parquet files go.")
    ] = DEFAULT_OUT,
) -> None:
    """Turn a public data set, as it is published, into Parquet that a spec searches."""
    from automtl import console
    from automtl.data.sets.prepare import prepare as prepare_set
    from automtl.prepare_line import PrepareLine

    which = public_set(name)
    with PrepareLine() as line:
        written = list(prepare_set(name, raw_dir, out, line.report))
    lines = []
    for one in written:
        sides = ", ".join(f"{one.num_rows.get(side, 0):,} {side}" for side in SIDES)
        lines += [f"wrote {one.path}: {sides} rows", *(f"note: {note}" for note in one.notes)]
    lines.append(f"licence: {which.licence}; cite {which.citation}")
    spec = shlex.quote(f"search_spaces/{which.spec}")
    moved = out != DEFAULT_OUT or not which.is_in_spec
    path = f" --set data.path={shlex.quote(str(written[0].path.absolute()))}" if moved else ""
    console.emit("\n".join([*lines, f"next: automtl validate {spec}{path}"]))
