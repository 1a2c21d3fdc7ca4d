"""The report: one HTML file that works from a disk, offline, and shows all of a study.

Everything that came from data or from a user goes through jinja2's autoescape, through JSON with
`<`, `>` and `&` escaped, or through `html.escape` in the hover texts (plotly reads tags there).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup

from automtl.analysis.frames import evaluations_frame, trials_frame
from automtl.analysis.marks import Marks
from automtl.errors import RunError
from automtl.files import written_whole
from automtl.report import figures
from automtl.report.plotly_js import trimmed
from automtl.report.provenance import provenance
from automtl.report.sections.confirmed import confirmed_section, error_bars
from automtl.report.sections.curves import curves_section
from automtl.report.sections.families import families_section
from automtl.report.sections.inside import inside_section
from automtl.report.sections.knobs import knobs_section
from automtl.report.sections.lead import lead
from automtl.report.sections.parts import plots_in
from automtl.report.sections.trade_off import trade_off
from automtl.report.sections.transfer import transfer_section
from automtl.report.sections.trials import trial_tables

if TYPE_CHECKING:
    from automtl.study import Study

__all__ = ["render_report", "write_report"]

HERE = Path(__file__).parent


def write_report(
    study: Study, path: Path, *, not_measured: Mapping[str, str] | None = None
) -> Path:
    """Write the page of `study` to `path` and return it.

    `not_measured` says why the page cannot look inside a trial (`export.inside.look_inside`). The
    old page stays until the new one is whole. RunError if the place cannot be written.
    """
    page = render_report(study, not_measured=not_measured)
    try:
        with written_whole(path) as draft:
            draft.write_text(page, encoding="utf-8")
    except OSError as error:
        raise RunError(
            f"{path}: the report cannot be written ({error.strerror}); free the place or give "
            "another run directory"
        ) from error
    return path


def render_report(
    study: Study, *, not_measured: Mapping[str, str] | None = None, version: str = ""
) -> str:
    """The page as text. It holds what it needs of plotly.js and asks nothing of a network.

    With a `version`, for a page that is served, it asks its server for a newer one (`live.py`).
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    marks, trials = Marks.of(study), trials_frame(study)
    sections = {
        "confirmed": confirmed_section(study),
        "transfer": transfer_section(study),
        "families": families_section(study, trials),
        "knobs": knobs_section(study),
        "inside": inside_section(study, not_measured=not_measured or {}),
        "curves": curves_section(study, trials, evaluations_frame(study)),
    }
    plots = {one.id: one.variants for one in plots_in(sections)}
    shown = trade_off(study, marks, trials)
    every = [*shown["figures"].values(), *(one for variants in plots.values() for one in variants)]
    kinds = frozenset(trace["type"] for figure in every for trace in figure["data"])
    return environment.get_template("page.html.j2").render(
        **lead(study, marks),
        **trial_tables(study, marks),
        **sections,
        payload={
            **shown,
            "confirmed": error_bars(study),
            "plots": plots,
        },
        provenance=provenance(study),
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup((HERE / "page.js").read_text(encoding="utf-8")),
        live=Markup((HERE / "live.js").read_text(encoding="utf-8")) if version else "",
        version=version,
        plotly=Markup(trimmed(figures.plotly_js(), kinds)),
    )
