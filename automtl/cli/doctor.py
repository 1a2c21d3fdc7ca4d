"""`automtl doctor`: what is wrong with the rows of a spec."""

from __future__ import annotations

import typer

from automtl.cli.options import NO, AsJson, Overrides, SpecPath, Workers, json_text

__all__ = ["doctor"]


def doctor(
    spec: SpecPath,
    overrides: Overrides = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Find what is wrong with the rows, and time a search over them."""
    from automtl.data.cache import open_data
    from automtl.doctor.checkup import examine
    from automtl.search.dry_run import dry_run
    from automtl.spec.load import load_spec
    from automtl.terminal import console
    from automtl.terminal.doctor_text import checkup_text
    from automtl.terminal.rows_line import PATIENCE_S, RowsLine

    loaded = load_spec(spec, overrides=overrides or ())
    with RowsLine(patience_s=PATIENCE_S) as line:
        data = open_data(loaded, report=line.report)
    found = examine(loaded, data)
    planned = dry_run(loaded, None, workers=workers)
    if as_json:
        console.emit(json_text(found.to_dict() | {"time": planned.time_dict()}))
    else:
        console.emit(checkup_text(found, planned))
    if not found.is_usable:
        raise typer.Exit(NO)
