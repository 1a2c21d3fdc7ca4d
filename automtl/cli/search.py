"""`automtl search`: from a spec to a front and a report."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from automtl.cli.confirm import confirmation
from automtl.cli.export import export_command
from automtl.cli.options import (
    INTERRUPTED,
    Address,
    Executor,
    Overrides,
    SpecPath,
    Track,
    Workers,
    json_text,
    resume_command,
)
from automtl.cli.page import write_page

__all__ = ["search"]


def search(
    spec: SpecPath,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run; reports/NAME if left out.")
    ] = None,
    overrides: Overrides = None,
    workers: Workers = None,
    executor: Executor = "ray",
    address: Address = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with a search, with more trials or hours if --set says so.",
        ),
    ] = False,
    track: Track = None,
    dry: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what it would do and how long; write nothing."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --dry-run: print JSON.")] = False,
) -> None:
    """Search, then show the Pareto front and write the report."""
    from automtl.spec.load import load_spec
    from automtl.terminal import console

    loaded = load_spec(spec, overrides=overrides or ())
    run_dir = out or Path("reports") / loaded.name
    if dry:
        from automtl.search.dry_run import dry_run

        planned = dry_run(
            loaded, run_dir, resume=resume, executor=executor, workers=workers, address=address
        )
        console.emit(json_text(planned.to_dict()) if as_json else console.dry_run_text(planned))
        return
    if as_json:
        raise typer.BadParameter("is for --dry-run; afterwards: automtl pareto RUN --json")
    from automtl.search.run import run_search
    from automtl.terminal.progress_line import progress
    from automtl.terminal.rows_line import PATIENCE_S, RowsLine

    try:
        study = run_search(
            loaded,
            run_dir,
            resume=resume,
            executor=executor,
            workers=workers,
            address=address,
            progress=progress(loaded),
            track=track or (),
            report=RowsLine(patience_s=PATIENCE_S).report,
        )
    except KeyboardInterrupt:
        if (run_dir / "study.json").exists():
            console.error(f"interrupted; go on with:\n  {resume_command()}")
        else:
            console.error("interrupted before the search began")
        raise typer.Exit(INTERRUPTED) from None
    from automtl.terminal.confirm_text import confirmed_text

    shown = [console.front_table(study)]
    if loaded.confirm is not None and study.front():
        found = confirmation(
            study, loaded.confirm, executor=executor, workers=workers, address=address
        )
        shown.append(confirmed_text(study, found))
    lines = [*shown, f"report: {write_page(study, run_dir)}"]
    if study.front():
        if loaded.confirm is None:
            lines.append(f"next:   automtl confirm {shlex.quote(str(run_dir))}")
        lines.append(f"next:   {export_command(run_dir)}")
    console.emit("\n".join(lines))
