"""`automtl data …`: the commands about rows."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from automtl.cli.options import AsJson, json_text
from automtl.data.sets.registry import DEFAULT_OUT, SETS, public_set

__all__ = ["app"]

SIDES = ("train", "valid", "test")
DAY_S = 86_400

app = typer.Typer(
    help="Get rows ready for a search, and what is kept of them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


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
    as_json: AsJson = False,
) -> None:
    """Turn a public data set, as published, into Parquet for a spec."""
    from automtl.data.sets.prepare import prepare as prepare_set
    from automtl.terminal import console
    from automtl.terminal.rows_line import RowsLine

    which = public_set(name)
    with RowsLine() as line:
        written = list(prepare_set(name, raw_dir, out, line.report))
    spec = shlex.quote(f"search_spaces/{which.spec}")
    moved = out != DEFAULT_OUT or not which.is_in_spec
    path = f" --set data.path={shlex.quote(str(written[0].path.absolute()))}" if moved else ""
    next_ = f"automtl validate {spec}{path}"
    if as_json:
        files = [
            {"path": str(one.path), "num_rows": dict(one.num_rows), "notes": list(one.notes)}
            for one in written
        ]
        about = {"licence": which.licence, "citation": which.citation}
        console.emit(json_text({"files": files, **about, "next": next_}))
        return
    lines = []
    for one in written:
        sides = ", ".join(f"{one.num_rows.get(side, 0):,} {side}" for side in SIDES)
        lines += [f"wrote {one.path}: {sides} rows", *(f"note: {note}" for note in one.notes)]
    lines.append(f"licence: {which.licence}; cite {which.citation}")
    console.emit("\n".join([*lines, f"next: {next_}"]))


@app.command()
def clean(
    spec: Annotated[
        Path | None, typer.Option(metavar="SPEC", help="Those where its data.cache says.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; else they are listed.")] = False,
    days: Annotated[
        float, typer.Option(min=0, metavar="N", help="Only what was made so many days ago.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """List the caches of encoded rows, or remove them."""
    from automtl.data.paths import cache_root
    from automtl.data.tidy import cache_entries, remove_cache
    from automtl.spec.load import load_spec
    from automtl.terminal import console

    now, root = time.time(), cache_root(None if spec is None else load_spec(spec).cache_dir())
    entries = [one for one in cache_entries(root) if now - one.made_at >= days * DAY_S]
    if yes:
        for entry in entries:
            remove_cache(entry)
    if as_json:
        caches = [
            {
                "directory": str(entry.directory),
                "num_bytes": entry.num_bytes,
                "num_rows": entry.num_rows,
                "made_at": entry.made_at,
            }
            for entry in entries
        ]
        console.emit(json_text({"removed": yes, "caches": caches}))
        return
    lines = []
    for entry in entries:
        rows = "damaged" if entry.num_rows is None else f"{entry.num_rows:,} rows"
        age = (now - entry.made_at) / DAY_S
        size = f"{entry.num_bytes / 1e6:,.1f} MB"
        lines.append(f"{entry.directory.name[:16]}  {size:>14}  {age:6.1f} days old  {rows}")
    total = f"{sum(entry.num_bytes for entry in entries) / 1e6:,.1f} MB"
    done = f"removed {len(entries)} caches" if yes else f"{len(entries)} caches"
    lines.append(f"{done} in {root}, {total}")
    if entries and not yes:
        lines.append("a search encodes its rows anew where they are gone; to remove them: --yes")
    console.emit("\n".join(lines))
