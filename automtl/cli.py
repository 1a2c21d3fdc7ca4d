"""The command line: reads arguments, calls one function, prints what comes back.

Each command imports what it needs itself: `--help` must not wait for torch, ray or pandas.
Data goes to stdout, everything else to stderr. Exit codes: 0 done; 1 it worked and the answer is
no; 2 could not start; 3 our mistake; 130 interrupted.
"""

from __future__ import annotations

import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from automtl import __version__, cli_data
from automtl.cli_completion import answer_shells, completion
from automtl.cli_doctor import doctor
from automtl.cli_export import export
from automtl.cli_options import (
    INTERRUPTED,
    NO,
    Address,
    AsJson,
    ExecutorName,
    Overrides,
    RunPath,
    SpecPath,
    Track,
    Workers,
    json_text,
    needs_search,
    resume_command,
)
from automtl.cli_predict import predict
from automtl.cli_serve import serve
from automtl.cli_train import train
from automtl.errors import AutomtlError, RunError, SpecError
from automtl.extras import missing_told

if TYPE_CHECKING:
    from automtl.confirmed import Confirmation
    from automtl.spec.schema import ConfirmSpec
    from automtl.study import Study, TrialRecord

__all__ = ["app", "main"]

INTERNAL = 3

app = typer.Typer(
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Search architectures of multi-task recommenders and see the trade-off.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: a third of the start-up time, and it can be piped
)

app.add_typer(cli_data.app, name="data")


# ---- a spec --------------------------------------------------------------------------------


@app.command()
def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Where to write.")] = Path(
        "spec.yaml"
    ),
    data: Annotated[
        str | None, typer.Option(metavar="FILE", help="Read the columns of this file, or URL.")
    ] = None,
    encoding: Annotated[
        str, typer.Option(metavar="NAME", help="Of a text file: latin1, gb18030, ...")
    ] = "utf8",
    template: Annotated[
        str | None, typer.Option(metavar="NAME", help="Copy one of the specs that come along.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a commented spec, which runs as it stands.

    If no column of its data looks like a label, the comments say what to write.
    """
    from automtl import console
    from automtl.first_spec import write_spec

    has_tasks = write_spec(path, data=data, named=template, encoding=encoding)
    next_ = f"automtl validate {shlex.quote(str(path))}"
    if as_json:
        console.emit(json_text({"spec": str(path), "has_tasks": has_tasks, "next": next_}))
        return
    missing = "no column looks like a label: write its tasks and objectives, as it says there\n"
    console.emit(f"wrote {path}\n{'' if has_tasks else missing}next: {next_}")


@app.command()
def validate(spec: SpecPath, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Show every problem of a spec, or what it will search."""
    from automtl import console
    from automtl.data.cache import find_cached
    from automtl.doctor.glance import look
    from automtl.spec.load import load_spec
    from automtl.spec.summary import summarize

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


app.command()(needs_search(doctor))


@app.command()
def schema() -> None:
    """Print the JSON schema of a spec, for editors."""
    from automtl import console
    from automtl.spec.schema import json_schema

    console.emit(json_text(json_schema()))


app.command()(completion)


# ---- a search ------------------------------------------------------------------------------


@app.command()
@needs_search
def search(
    spec: SpecPath,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run; reports/NAME if left out.")
    ] = None,
    overrides: Overrides = None,
    workers: Workers = None,
    executor: ExecutorName = "ray",
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
    from automtl import console
    from automtl.spec.load import load_spec

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
    from automtl.progress_line import progress
    from automtl.rows_line import PATIENCE_S, RowsLine
    from automtl.search.run import run_search

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
    from automtl.confirm_text import confirmed_text

    shown = [console.front_table(study)]
    if loaded.confirm is not None and study.front():
        found = _confirm(study, loaded.confirm, executor=executor, workers=workers, address=address)
        shown.append(confirmed_text(study, found))
    lines = [*shown, f"report: {_write_report(study, run_dir)}"]
    if study.front():
        run = shlex.quote(str(run_dir))
        if loaded.confirm is None:
            lines.append(f"next:   automtl confirm {run}")
        lines.append(f"next:   automtl export {run} --pick knee --to {run}/bundle")
    console.emit("\n".join(lines))


@app.command()
@needs_search
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
    executor: ExecutorName = "ray",
    address: Address = None,
    as_json: AsJson = False,
) -> None:
    """Train the front's best with fresh seeds: which gains are real."""
    from automtl import console
    from automtl.config import to_jsonable
    from automtl.confirm_text import confirmed_text
    from automtl.spec.schema import ConfirmSpec
    from automtl.study import Study

    study = Study.open(run)
    given = {"seeds": seeds, "candidates": candidates, "group": group}
    settings = (study.spec.confirm or ConfirmSpec()).model_copy(
        update={key: value for key, value in given.items() if value is not None}
    )
    found = _confirm(study, settings, executor=executor, workers=workers, address=address)
    page = _write_report(study, run)
    if as_json:
        console.emit(json_text(to_jsonable(found)))
        return
    quoted = shlex.quote(str(run))
    next_ = f"next:   automtl export {quoted} --pick knee --to {quoted}/bundle"
    console.emit("\n".join([confirmed_text(study, found), f"report: {page}", next_]))


def _confirm(
    study: Study,
    settings: ConfirmSpec,
    *,
    executor: Literal["ray", "local"],
    workers: int | None,
    address: str | None,
) -> Confirmation:
    """Confirms; on Ctrl-C says how to go on."""
    from automtl import console
    from automtl.confirm.run import run_confirm
    from automtl.confirm_line import ConfirmLine
    from automtl.rows_line import PATIENCE_S, RowsLine

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


@app.command()
@needs_search
def status(run: RunPath, as_json: AsJson = False) -> None:
    """Show how far a search is."""
    from automtl import console
    from automtl.search.limits import device_s
    from automtl.study import Study

    study = Study.open(run)
    summary = study.summary()
    summary["device_s"] = round(device_s(study.trials(), study.spec.trial), 1)
    console.emit(json_text(summary) if as_json else console.status_text(summary))


@app.command()
@needs_search
def pareto(
    run: RunPath,
    trial: Annotated[
        str | None, typer.Option(metavar="ID", help="One trial's spec and metrics: t0012.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the Pareto front, or one trial as a spec that runs."""
    from automtl import console
    from automtl.analysis.text import trial_yaml
    from automtl.study import Study

    study = Study.open(run)
    if trial is not None:
        record = _trial(study, trial)
        if as_json:
            console.emit(json_text(_trial_json(study, record)))
        else:
            console.emit(console.trial_comment(study, record) + trial_yaml(study, record))
        return
    console.emit(json_text(_front_json(study)) if as_json else console.front_table(study))
    if not study.front():
        raise typer.Exit(NO)


@app.command()
@needs_search
def report(
    run: RunPath,
    open_page: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    frames: Annotated[
        Path | None,
        typer.Option("--frames", metavar="DIR", help="Also what is drawn, as CSV files."),
    ] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="Serve it here, anew as the search goes on, until Ctrl-C."),
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="With --live: of 127.0.0.1; a free one if left out."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the report page of a search, or serve it while it runs."""
    from automtl import console
    from automtl.study import Study

    if port is not None and not live:
        raise typer.BadParameter("is for --live", param_hint="--port")
    if frames is not None and live:
        raise typer.BadParameter("is not for --live", param_hint="--frames")
    if as_json and live:
        raise typer.BadParameter("is not for --live", param_hint="--json")
    study = Study.open(run)
    if live:
        from automtl.report.live import serve_report

        serve_report(
            run,
            port=port or 0,
            not_measured=_look_inside(study),
            announce=lambda url: _show(url, url, in_browser=open_page),
        )
        return
    page, paths = _write_report(study, run), []
    if frames is not None:
        from automtl.analysis.tables import write_frames

        paths = list(map(str, write_frames(study, frames)))
        if not paths:
            console.error(f"{frames}: no trial has been trained yet, so there are no frames")
    document = json_text({"report": str(page), "frames": paths})
    shown = document if as_json else "\n".join([str(page), *paths])
    _show(shown, page.absolute().as_uri(), in_browser=open_page)


# ---- a model -------------------------------------------------------------------------------


app.command()(needs_search(export))
app.command()(predict)
app.command()(serve)
app.command()(needs_search(train))


@app.command()
@needs_search
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
    from automtl import console
    from automtl.config import to_jsonable
    from automtl.fusion.fuse import fuse as find
    from automtl.fusion.text import fusion_text
    from automtl.rows_line import PATIENCE_S, RowsLine

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


# ---- the whole -----------------------------------------------------------------------------


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"automtl {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit the program. Every error a user can meet ends in one message.

    Never returns: raises SystemExit with one of the exit codes above.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for some takes 50 ms
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # a stream that was replaced, in a test or a notebook
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    answer_shells()
    try:
        with missing_told(needed_by="automtl"):
            app(args=None if arguments is None else list(arguments), prog_name="automtl")
    except SpecError as error:
        _fail(_picture(error), error.exit_code)
    except AutomtlError as error:
        _fail(f"error: {error}", error.exit_code)
    except KeyboardInterrupt:
        _fail("interrupted", INTERRUPTED)
    except Exception:
        _fail(
            f"{traceback.format_exc()}\n"
            f"error: this is a bug of automtl {__version__}, not a mistake of yours; "
            "please report it with the lines above",
            INTERNAL,
        )


def _fail(message: str, code: int) -> None:
    sys.stderr.write(f"{message}\n")
    raise SystemExit(code)


def _picture(error: SpecError) -> str:
    """The problems with their source lines and carets, and how many there are."""
    from automtl.spec.diagnostics import render

    content = ""
    with suppress(OSError, UnicodeDecodeError):
        content = Path(error.source).read_text(encoding="utf-8")
    color = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    count = len(error.diagnostics)
    end = f"\n{count} problems" if count > 1 else ""
    return render(error, content, color=color) + end


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


def _trial(study: Study, name: str) -> TrialRecord:
    """The trial called `t0012` or `12`; RunError with the range if there is none."""
    records = study.trials()
    digits = name.strip().lower().removeprefix("t")
    for record in records:
        if digits.isdecimal() and record.number == int(digits):
            return record
    have = f"it has {records[0].id} to {records[-1].id}" if records else "it has none yet"
    raise RunError(f"{study.run_dir}: no trial {name}; {have}")


def _write_report(study: Study, run: Path) -> Path:
    """The page, after a look inside the trials that it shows."""
    from automtl.report.page import write_report

    return write_report(study, run / "report.html", not_measured=_look_inside(study))


def _show(place: str, address: str, *, in_browser: bool) -> None:
    from automtl import console

    console.emit(place)
    if in_browser:
        import webbrowser

        webbrowser.open(address)


def _look_inside(study: Study) -> dict[str, str]:
    """Looks inside the trials that a page shows, where that is missing; says why it could not.

    torch is imported for such a look only; while a search runs its cores are its own.
    """
    from automtl.analysis.inside import is_complete

    if is_complete(study) or study.is_active():
        return {}
    from automtl.export.inside import look_inside

    return look_inside(study)


def _front_json(study: Study) -> dict[str, Any]:
    knee, reference = study.suggested(), study.reference()
    return {
        "objectives": [
            {"name": objective.name, "direction": objective.direction}
            for objective in study.objectives
        ],
        "suggested": knee.id if knee else None,
        "reference": _trial_json(study, reference) if reference else None,
        "front": [_trial_json(study, record) for record in study.front()],
    }


def _trial_json(study: Study, record: TrialRecord) -> dict[str, Any]:
    from automtl.config import to_jsonable

    return {
        "trial": record.id,
        "state": record.state,
        "role": record.role,
        "values": None if record.values is None else dict(record.values),
        "gains": study.gains(record),
        "epochs": record.evaluations[-1].epochs if record.evaluations else None,
        "metrics": _finite(record.metrics),
        "params": dict(record.params),
        "config": to_jsonable(record.config),
        "reason": record.reason,
        "seed": record.seed,
    }


def _finite(metrics: Any) -> dict[str, float | None]:
    return {name: value if value == value else None for name, value in metrics.items()}


if __name__ == "__main__":
    main()
