"""The commands about a spec: `init`, `validate`, `schema`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from automtl.cli.options import AsJson, Encoding, Overrides, SpecPath, json_text
from automtl.errors import SpecError

__all__ = ["init", "schema", "validate"]


def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Where to write.")] = Path(
        "spec.yaml"
    ),
    data: Annotated[
        str | None, typer.Option(metavar="FILE", help="Read the columns of this file, or URL.")
    ] = None,
    encoding: Encoding = "utf8",
    template: Annotated[
        str | None, typer.Option(metavar="NAME", help="Copy one of the specs that come along.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a commented spec, which runs as it stands.

    If no column of its data looks like a label, the comments say what to write.
    """
    from automtl.first_spec import write_spec
    from automtl.terminal import console

    has_tasks = write_spec(path, data=data, named=template, encoding=encoding)
    next_ = f"automtl validate {shlex.quote(str(path))}"
    if as_json:
        console.emit(json_text({"spec": str(path), "has_tasks": has_tasks, "next": next_}))
        return
    missing = "no column looks like a label: write its tasks and objectives, as it says there\n"
    console.emit(f"wrote {path}\n{'' if has_tasks else missing}next: {next_}")


def validate(spec: SpecPath, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Show every problem of a spec, or what it will search."""
    from automtl.data.cache import find_cached
    from automtl.doctor.glance import look
    from automtl.spec.load import load_spec
    from automtl.spec.summary import summarize
    from automtl.terminal import console

    try:
        loaded = load_spec(spec, overrides=overrides or ())
    except SpecError as error:
        if as_json:
            console.emit(json_text({"valid": False, "problems": _problems(error)}))
            raise typer.Exit(error.exit_code) from None
        raise
    cached = find_cached(loaded)
    widths, warnings = look(loaded)
    summary = summarize(loaded, features=cached.features if cached else None, list_widths=widths)
    num_rows = cached.num_rows if cached else None
    for warning in warnings:
        console.error(f"warning: {warning}")
    if as_json:
        more = {"num_rows": num_rows, "warnings": warnings}
        console.emit(json_text({"valid": True, **summary.to_dict(), **more}))
    else:
        console.emit(console.summary_text(summary, num_rows))


def schema() -> None:
    """Print the JSON schema of a spec, for editors."""
    from automtl.spec.schema import json_schema
    from automtl.terminal import console

    console.emit(json_text(json_schema()))


def _problems(error: SpecError) -> list[dict[str, Any]]:
    return [
        {
            "file": error.source,
            "line": problem.line,
            "column": problem.column,
            "key": problem.key,
            "rule": problem.rule,
            "hint": problem.hint,
        }
        for problem in error.diagnostics
    ]
