"""The report page of a run, which several commands write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automtl.study import Study

__all__ = ["look_inside", "write_page"]


def write_page(study: Study, run: Path) -> Path:
    """The page, after a look inside the trials that it shows."""
    from automtl.report.page import write_report

    return write_report(study, run / "report.html", not_measured=look_inside(study))


def look_inside(study: Study) -> dict[str, str]:
    """Looks inside the trials that a page shows, where that is missing; says why it could not.

    torch is imported for such a look only; while a search runs its cores are its own.
    """
    from automtl.analysis.inside import is_complete

    if is_complete(study) or study.is_active():
        return {}
    from automtl.export import inside

    return inside.look_inside(study)
