"""`automtl confirm`: the best of a front, trained again with fresh seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from automtl.cli.export import export_command
from automtl.cli.options import (
    INTERRUPTED,
    Address,
    AsJson,
    Executor,
    RunPath,
    Workers,
    json_text,
    resume_command,
)
from automtl.cli.page import write_page

if TYPE_CHECKING:
    from automtl.config import ExecutorName
    from automtl.confirmed import Confirmation
    from automtl.spec.schema import ConfirmSpec
    from automtl.study import Study

__all__ = ["confirm", "confirmation"]


def confirm(
    run: RunPath,
    seeds: Annotated[
        int | None, typer.Option(min=2, help="Fresh seeds for each model; the spec's, or 5.")
    ] = None,
    candidates: Annotated[
        int | None, typer.Option(min=1, help="Trials of the front; the spec's, or 8.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Whose rows depend on each other: user_id."),
    ] = None,
    workers: Workers = None,
    executor: Executor = "ray",
    address: Address = None,
    as_json: AsJson = False,
) -> None:
    """Train the front's best with fresh seeds: which gains are real."""
    from automtl.config import to_jsonable
    from automtl.spec.schema import ConfirmSpec
    from automtl.study import Study
    from automtl.terminal import console
    from automtl.terminal.confirm_text import confirmed_text

    study = Study.open(run)
    given = {"seeds": seeds, "candidates": candidates, "group": group}
    settings = (study.spec.confirm or ConfirmSpec()).model_copy(
        update={key: value for key, value in given.items() if value is not None}
    )
    found = confirmation(study, settings, executor=executor, workers=workers, address=address)
    page = write_page(study, run)
    if as_json:
        console.emit(json_text(to_jsonable(found)))
        return
    next_ = f"next:   {export_command(run)}"
    console.emit("\n".join([confirmed_text(study, found), f"report: {page}", next_]))


def confirmation(
    study: Study,
    settings: ConfirmSpec,
    *,
    executor: ExecutorName,
    workers: int | None,
    address: str | None,
) -> Confirmation:
    """Confirms; on Ctrl-C says how to go on."""
    from automtl.confirm.run import run_confirm
    from automtl.terminal import console
    from automtl.terminal.confirm_line import ConfirmLine
    from automtl.terminal.rows_line import PATIENCE_S, RowsLine

    try:
        return run_confirm(
            study,
            settings,
            executor=executor,
            workers=workers,
            address=address,
            progress=ConfirmLine(),
            report=RowsLine(patience_s=PATIENCE_S).report,
        )
    except KeyboardInterrupt:
        console.error(f"interrupted; go on with:\n  {resume_command()}")
        raise typer.Exit(INTERRUPTED) from None
