"""Every frame behind the report by its name, and the same as CSV files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from automtl.analysis.confirmed_frame import confirmed_frame
from automtl.analysis.coordinates import coordinates_frame
from automtl.analysis.families import families_frame, rungs_frame
from automtl.analysis.frames import evaluations_frame, hypervolume_frame, trials_frame
from automtl.analysis.importance import importance_frame
from automtl.analysis.inside import (
    calibration_frame,
    experts_frame,
    gates_frame,
    outputs_frame,
    read_inside,
    wanted,
)
from automtl.analysis.knobs import best_frame, marginals_frame, too_few
from automtl.analysis.transfer import (
    family_gains_frame,
    loss_weights_frame,
    seesaw_frame,
    transfer_frame,
)
from automtl.errors import RunError
from automtl.files import written_whole

if TYPE_CHECKING:
    from automtl.study import Study

__all__ = ["frames", "write_frames"]


def frames(study: Study) -> dict[str, pd.DataFrame]:
    """What each figure of the report is drawn from, by name; those without a row are left out."""
    trials, transfer = trials_frame(study), transfer_frame(study)
    importance = None if too_few(study) else importance_frame(study)
    insides = [one for one in (read_inside(study, record) for record in wanted(study)) if one]
    found = {
        "trials": trials,
        "evaluations": evaluations_frame(study),
        "hypervolume": hypervolume_frame(study),
        "confirmed": confirmed_frame(study),
        "transfer": transfer,
        "family_gains": family_gains_frame(transfer),
        "seesaw": seesaw_frame(study, transfer),
        "loss_weights": loss_weights_frame(study, transfer),
        "families": families_frame(study, trials),
        "rungs": rungs_frame(study),
        "coordinates": coordinates_frame(study, importance),
        "gates": gates_frame(insides),
        "experts": experts_frame(insides),
        "calibration": calibration_frame(insides),
        "outputs": outputs_frame(insides),
    }
    if importance is not None:
        found |= {
            "importance": importance,
            "marginals": marginals_frame(study),
            "best": best_frame(study),
        }
    return {name: frame for name, frame in found.items() if len(frame)}


def write_frames(study: Study, directory: Path) -> list[Path]:
    """Writes `frames` as DIRECTORY/NAME.csv, each whole or not at all, and returns the paths.

    Files of these names are replaced. RunError if the directory cannot be written.
    """
    paths = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, frame in frames(study).items():
            paths.append(directory / f"{name}.csv")
            with written_whole(paths[-1]) as aside:
                frame.to_csv(aside, index=False)
    except OSError as error:
        raise RunError(
            f"{directory}: the frames cannot be written ({error.strerror}); choose another --frames"
        ) from error
    return paths
