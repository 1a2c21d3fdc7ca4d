"""The figures of the page one by one, by name, for a notebook."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from automtl.analysis.frames import evaluations_frame, trials_frame
from automtl.analysis.marks import Marks
from automtl.errors import RunError
from automtl.report.figures import Figure, from_plain
from automtl.report.sections.confirmed import confirmed_section
from automtl.report.sections.curves import curves_section
from automtl.report.sections.families import families_section
from automtl.report.sections.inside import inside_section
from automtl.report.sections.knobs import knobs_section
from automtl.report.sections.parts import plots_in
from automtl.report.sections.trade_off import trade_off
from automtl.report.sections.transfer import transfer_section

if TYPE_CHECKING:
    from automtl.study import Study

__all__ = ["FIGURES", "named_figure"]

Section = Callable[["Study"], Mapping[str, Any]]


def _front(study: Study) -> Mapping[str, Any]:
    return trade_off(study, Marks.of(study), trials_frame(study))


def _families(study: Study) -> Mapping[str, Any]:
    return families_section(study, trials_frame(study))


def _curves(study: Study) -> Mapping[str, Any]:
    return curves_section(study, trials_frame(study), evaluations_frame(study))


def _inside(study: Study) -> Mapping[str, Any]:
    return inside_section(study, not_measured={})


SECTIONS: Mapping[str, Section] = {
    "front": _front,
    "hypervolume": _front,
    "confirmed": confirmed_section,
    "gains": transfer_section,
    "seesaw": transfer_section,
    "weights": transfer_section,
    "rungs": _families,
    "importance": knobs_section,
    "marginal": knobs_section,
    "coordinates": knobs_section,
    "gates": _inside,
    "reliability": _inside,
    "curves": _curves,
}
FIGURES: tuple[str, ...] = tuple(SECTIONS)


def named_figure(study: Study, name: str, *, of: str | None = None) -> Figure:
    """The figure of the page that is called `name` (one of FIGURES).

    Where there are several, one an objective, a knob or a trial, `of` says which; the first if
    left out. RunError, with the names there are, if there is no such figure, or nothing to draw
    yet.
    """
    if name not in SECTIONS:
        close = difflib.get_close_matches(name, FIGURES, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise RunError(f"figure {name!r}: no such figure; {hint}figures: {', '.join(FIGURES)}")
    found = _found(SECTIONS[name](study), name)
    if not found:
        raise RunError(
            f"{study.run_dir}: there is nothing to draw as {name!r} yet (the page says why); "
            f"figures: {', '.join(FIGURES)}"
        )
    if of is None:
        return from_plain(next(iter(found.values())))
    if of not in found:
        raise RunError(f"figure {name!r}: none is of {of!r}; there are: {'; '.join(found)}")
    return from_plain(found[of])


def _found(section: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """By what it is of, in the order of the page."""
    if name in ("front", "hypervolume"):
        return {"": section["figures"][name]} if section["figures"] else {}
    return {
        of: variant
        for plot in plots_in(dict(section))
        if re.sub(r"-\d+$", "", plot.id) == name
        for of, variant in zip(plot.of, plot.variants, strict=True)
    }
