"""How a kept trial routes and whether its predictions hold, measured with its weights.

Shapes: N rows, B rows of a batch, K tasks, R gates of a level, E experts of a level.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automtl.analysis.calibration import reliability
from automtl.analysis.inside import (
    Chain,
    Expert,
    Gate,
    Inside,
    Output,
    read_inside,
    wanted,
    write_inside,
)
from automtl.config import TaskSchema
from automtl.data.cache import EncodedData, Rows
from automtl.errors import BundleError, DataError, RunError
from automtl.export.describe import model_of
from automtl.export.standing import trained
from automtl.models.dependency import parents_of
from automtl.models.extraction import ExtractionLevel
from automtl.models.model import MultiTaskModel, joint_name
from automtl.study import Study, TrialRecord
from automtl.study_rows import encoded_data
from automtl.training.batches import Batches
from automtl.training.fit import predict_rows
from automtl.training.metrics import auc_cases

__all__ = ["inside_of", "look_inside"]

BATCH_SIZE = 2048
MOST_ROWS = 1_000_000  # of more, every second, third, … is looked at: seconds, not minutes


def look_inside(study: Study) -> dict[str, str]:
    """Measures what the report shows and is not there yet (`analysis.inside.wanted`).

    Returns, by the trial's id, why one could not be: its weights or the rows are gone, or the
    answer cannot be kept.
    """
    missing = [record for record in wanted(study) if read_inside(study, record) is None]
    why: dict[str, str] = {}
    for record in missing:
        try:
            write_inside(study, record, inside_of(study, record, encoded_data(study)))
        except (DataError, RunError) as error:
            why[record.id] = str(error)
        except OSError as error:
            why[record.id] = f"{study.run_dir}/inside cannot be written ({error.strerror})"
    return why


def inside_of(study: Study, record: TrialRecord, data: EncodedData) -> Inside:
    """What `record` does on test rows, or on validation rows where there are no test rows.

    RunError if its weights are gone or are not its own.
    """
    split = "test" if data.num_rows["test"] else "valid"
    rows = _thinned(data.rows(split))
    training = trained(study, record)
    try:
        model = model_of(training, data)
    except BundleError as error:
        raise RunError(f"{study.run_dir}: {record.id} cannot be looked into: {error}") from error
    predictions = predict_rows(model, rows)
    if broken := [name for name, values in predictions.items() if not np.isfinite(values).all()]:
        raise RunError(
            f"{study.run_dir}: {record.id} cannot be looked into: some of its predictions of "
            f"{broken[0]} on {split} rows are not finite"
        )
    return Inside(
        trial=record.id,
        run=None if training.seed_index is None else training.record.number,
        split=split,
        num_rows=len(rows),
        num_all=data.num_rows[split],
        gates=_gates(model, rows),
        outputs=_outputs(predictions, np.asarray(rows.labels_NK), data.tasks),
        chains=_chains(predictions, data.tasks),
    )


def _thinned(rows: Rows) -> Rows:
    """Every n-th row, so that there are at most MOST_ROWS."""
    step = -(-len(rows) // MOST_ROWS)
    return Rows(
        ids_NC=rows.ids_NC[::step],
        numeric_NF=rows.numeric_NF[::step],
        labels_NK=rows.labels_NK[::step],
    )


def _gates(model: MultiTaskModel, rows: Rows) -> tuple[Gate, ...]:
    """The gates of every level that were built, each over the experts that it sees."""
    batches = Batches(rows.ids_NC, rows.numeric_NF, device=model.device)
    sums: list[dict[str, Tensor]] = []
    for ids_BC, numeric_BF in batches.in_order(BATCH_SIZE):
        parts = [_sums(gates) for gates in model.gates(ids_BC, numeric_BF)]
        sums = [_added(old, new) for old, new in zip(sums, parts, strict=True)] if sums else parts
    names = tuple(task.name for task in model.tasks)
    found: list[Gate] = []
    for number, (level, total) in enumerate(zip(model.levels, sums, strict=True), start=1):
        assert isinstance(level, ExtractionLevel)
        if total:
            found += _gates_of(level, number, names, total, num_rows=len(rows))
    return tuple(found)


def _sums(gates: list[Tensor]) -> dict[str, Tensor]:
    """Of a batch: the weights' sums and sums of squares [R, E], and the effective experts' [R]."""
    if not gates:
        return {}
    weights_RBE = torch.cat(gates).double()
    entropy_RB = -torch.special.xlogy(weights_RBE, weights_RBE).sum(2)
    return {
        "sum": weights_RBE.sum(1),
        "squares": weights_RBE.square().sum(1),
        "effective": entropy_RB.exp().sum(1),
    }


def _added(old: Mapping[str, Tensor], new: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: old[name] + new[name] for name in old}


def _gates_of(
    level: ExtractionLevel,
    number: int,
    tasks: tuple[str, ...],
    total: Mapping[str, Tensor],
    *,
    num_rows: int,
) -> list[Gate]:
    mean_RE = total["sum"] / num_rows
    std_RE = (total["squares"] / num_rows - mean_RE.square()).clamp(min=0).sqrt()
    effective_R = total["effective"] / num_rows
    num_gates = len(mean_RE) - (level.shared_gate is not None)
    mixes_for: list[tuple[str, ...]] = []
    if num_gates:
        mixes_for += [tasks] if num_gates == 1 else [(task,) for task in tasks]
    if level.shared_gate is not None:
        mixes_for.append(())
    owners = ["", *tasks]
    experts = [("", place + 1) for place in range(level.num_shared)]
    experts += [(task, place + 1) for task in owners[1:] for place in range(level.num_task)]
    return [
        Gate(
            level=number,
            tasks=served,
            experts=tuple(
                Expert(owner=owner, place=place, mean=float(mean), std=float(std))
                for (owner, place), mean, std in zip(
                    experts, mean_RE[row], std_RE[row], strict=True
                )
                if not (served and owner) or owner in served
            ),
            effective_per_row=float(effective_R[row]),
        )
        for row, served in enumerate(mixes_for)
    ]


def _outputs(
    predictions: Mapping[str, NDArray[np.float32]],
    labels_NK: NDArray[np.float32],
    tasks: tuple[TaskSchema, ...],
) -> tuple[Output, ...]:
    """Each output over the rows on which it can be observed; none where there are no such rows."""
    found = [
        Output(
            name=case.prediction,
            task=case.name.rpartition(".")[0],
            space=case.space,
            is_binary=True,
            bins=reliability(case.labels_J, predictions[case.prediction][case.rows_J]),
        )
        for case in auc_cases(labels_NK, tasks)
        if len(case.rows_J)
    ]
    for column, task in enumerate(tasks):
        rows_J = np.flatnonzero(~np.isnan(labels_NK[:, column]))
        if task.kind == "regression" and len(rows_J):
            bins = reliability(
                labels_NK[rows_J, column], predictions[task.name][rows_J], is_binary=False
            )
            space = "all rows" if task.given is None else f"rows with {task.given} = 1"
            found.append(
                Output(name=task.name, task=task.name, space=space, is_binary=False, bins=bins)
            )
    return tuple(found)


def _chains(
    predictions: Mapping[str, NDArray[np.float32]], tasks: tuple[TaskSchema, ...]
) -> tuple[Chain, ...]:
    found: list[Chain] = []
    for task, parent in zip(tasks, parents_of(tasks), strict=True):
        if parent < 0 or task.kind != "binary":
            continue
        given = tasks[parent]
        condition = given.name if given.given is None else joint_name(given.name)
        own_N = predictions[task.name].astype(np.float64)
        joint_N = predictions[joint_name(task.name)].astype(np.float64)
        product_N = own_N * predictions[condition]
        found.append(
            Chain(
                task=task.name,
                given=given.name,
                output=joint_name(task.name),
                joint=float(joint_N.mean()),
                own=float(own_N.mean()),
                product=float(product_N.mean()),
                largest_difference=float(np.abs(product_N - joint_N).max()),
            )
        )
    return tuple(found)
