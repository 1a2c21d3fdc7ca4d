"""The commands that show a search: `status`, `pareto`, `report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automtl.cli.options import NO, AsJson, RunPath, json_text
from automtl.cli.page import look_inside, write_page
from automtl.errors import RunError

if TYPE_CHECKING:
    from automtl.study import Study, TrialRecord

__all__ = ["pareto", "report", "status"]


def status(run: RunPath, as_json: AsJson = False) -> None:
    """Show how far a search is."""
    from automtl.search.limits import device_s
    from automtl.study import Study
    from automtl.terminal import console

    study = Study.open(run)
    summary = study.summary()
    summary["device_s"] = round(device_s(study.trials(), study.spec.trial), 1)
    console.emit(json_text(summary) if as_json else console.status_text(summary))


def pareto(
    run: RunPath,
    trial: Annotated[
        str | None, typer.Option(metavar="ID", help="One trial's spec and metrics: t0012.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the Pareto front, or one trial as a spec that runs."""
    from automtl.analysis.text import trial_yaml
    from automtl.study import Study
    from automtl.terminal import console

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
    from automtl.study import Study
    from automtl.terminal import console

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
            not_measured=look_inside(study),
            announce=lambda url: _show(url, url, in_browser=open_page),
        )
        return
    page, paths = write_page(study, run), []
    if frames is not None:
        from automtl.analysis.tables import write_frames

        paths = list(map(str, write_frames(study, frames)))
        if not paths:
            console.error(f"{frames}: no trial has been trained yet, so there are no frames")
    document = json_text({"report": str(page), "frames": paths})
    shown = document if as_json else "\n".join([str(page), *paths])
    _show(shown, page.absolute().as_uri(), in_browser=open_page)


def _trial(study: Study, name: str) -> TrialRecord:
    """The trial called `t0012` or `12`; RunError with the range if there is none."""
    records = study.trials()
    digits = name.strip().lower().removeprefix("t")
    for record in records:
        if digits.isdecimal() and record.number == int(digits):
            return record
    have = f"it has {records[0].id} to {records[-1].id}" if records else "it has none yet"
    raise RunError(f"{study.run_dir}: no trial {name}; {have}")


def _show(place: str, address: str, *, in_browser: bool) -> None:
    from automtl.terminal import console

    console.emit(place)
    if in_browser:
        import webbrowser

        webbrowser.open(address)


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
