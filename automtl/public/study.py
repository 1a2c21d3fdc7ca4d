"""A search as a notebook has it: frames, figures, and what is done with its winner."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from automtl.analysis.confirmed_frame import confirmed_frame
from automtl.analysis.frames import evaluations_frame, trials_frame
from automtl.confirm.run import run_confirm
from automtl.export.bundle import Bundle
from automtl.export.inside import look_inside
from automtl.export.pick import pick as pick_trial
from automtl.export.write import export_bundle
from automtl.public.html import study_html
from automtl.report.named import FIGURES, named_figure
from automtl.report.page import write_report
from automtl.spec.schema import ConfirmSpec, Spec
from automtl.study import Study as StudyOnDisk
from automtl.terminal.confirm_line import ConfirmLine
from automtl.terminal.console import front_table

if TYPE_CHECKING:
    import pandas as pd

    from automtl.config import ExecutorName
    from automtl.report.figures import Figure

__all__ = ["Study"]


class Study:
    """One search. It reads what is on disk anew at each call, so it may be asked while it runs.

    study = automtl.Study.load("reports/kuairand")
    study.front()                          # a pandas frame, best in the first objective first
    study.figure("front")                  # a plotly figure
    bundle = study.export(pick="knee", to="knee")
    """

    figures: tuple[str, ...] = FIGURES

    def __init__(self, on_disk: StudyOnDisk) -> None:
        self._study = on_disk

    @classmethod
    def load(cls, run: str | Path) -> Study:
        """The search in the directory `run`, finished or not; RunError if there is none."""
        return cls(StudyOnDisk.open(Path(run)))

    @property
    def run_dir(self) -> Path:
        return self._study.run_dir

    @property
    def spec(self) -> Spec:
        """What is searched, every default written out."""
        return self._study.spec

    def trials(self) -> pd.DataFrame:
        """Every trial, a row each, as a pandas frame (`analysis.frames.trials_frame` names the
        columns): state, family, knobs as `knob.NAME`, metrics in their own units, gains over the
        tuned single_task as `gain.OBJECTIVE`. Only complete trials have values."""
        return trials_frame(self._study)

    def front(self) -> pd.DataFrame:
        """The rows of `trials` that are on the Pareto front, best in the first objective first;
        `is_knee` marks the suggested compromise."""
        trials = trials_frame(self._study)
        numbers = [record.number for record in self._study.front()]
        return trials.set_index("number", drop=False).loc[numbers].reset_index(drop=True)

    def evaluations(self) -> pd.DataFrame:
        """The learning curves: a row a trial, evaluation and metric."""
        return evaluations_frame(self._study)

    def confirmed(self) -> pd.DataFrame:
        """Means and intervals over fresh seeds, a row a model, objective and split; without rows
        before `confirm`."""
        return confirmed_frame(self._study)

    def figure(self, name: str = "front", *, of: str | None = None) -> Figure:
        """A figure of the report, a plotly `Figure`; `Study.figures` are their names.

        Where there are several `of` says which: `study.figure("curves", of="click.auc")`. RunError
        names what there is, if there is no such figure or nothing to draw yet.
        """
        return named_figure(self._study, name, of=of)

    def report(self, path: str | Path | None = None) -> Path:
        """Writes the page of the search, RUN/report.html if left out; -> where it is."""
        place = self.run_dir / "report.html" if path is None else Path(path)
        missing = {} if self._study.is_active() else look_inside(self._study)
        return write_report(self._study, place, not_measured=missing)

    def confirm(
        self,
        *,
        seeds: int | None = None,
        candidates: int | None = None,
        group: str | None = None,
        data: Any = None,
        workers: int | None = None,
        executor: ExecutorName = "ray",
        quiet: bool = False,
    ) -> pd.DataFrame:
        """Trains the best again with fresh seeds; -> `confirmed()`. What is there is not repeated.

        What is left out is the spec's, else 5 seeds and 8 candidates. `data` is the frame that was
        searched, if it was one. Picks go by the new validation means from then on.
        """
        given = {"seeds": seeds, "candidates": candidates, "group": group}
        settings = self.spec.confirm or ConfirmSpec()
        run_confirm(
            self._study,
            settings.model_copy(update={k: v for k, v in given.items() if v is not None}),
            executor=executor,
            workers=workers,
            frame=data,
            progress=None if quiet else ConfirmLine(),
        )
        return self.confirmed()

    def export(self, *, pick: str = "knee", to: str | Path) -> Bundle:
        """Writes a trial as a bundle at `to` and loads it.

        `pick`: knee, best:TASK, weights:OBJECTIVE=2,…, within:1se, reference or an id (t0012).
        RunError, with the choices, if nothing fits, or something is at `to` already.
        """
        return Bundle.load(export_bundle(self._study, pick_trial(self._study, pick), to))

    def __repr__(self) -> str:
        summary = self._study.summary()
        return (
            f"<automtl.Study {summary['name']}: {summary['started']} of {summary['total']} trials, "
            f"{summary['front_size']} on the front, in {self.run_dir}>"
        )

    def __str__(self) -> str:
        """The front as a table."""
        return front_table(self._study, color=False)

    def _repr_html_(self) -> str:
        return study_html(self._study)
