"""One score for each row of files: a text without free parameters, over what a bundle predicts.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from automtl.data.expression import label_columns
from automtl.errors import ScoreError
from automtl.export.bundle import Bundle
from automtl.export.predict import Fused
from automtl.fusion.evaluate import Evaluator
from automtl.fusion.expression import Power, Product, columns_of, parameters_of
from automtl.fusion.parse import parse

__all__ = ["fused_as"]

Floats = NDArray[np.float64]


def fused_as(text: str) -> Callable[[Bundle, Sequence[str]], Fused]:
    """What `export.predict.predict_file` takes as `fused`: the score that `text` says (`parse.py`)
    of a bundle's outputs, its tasks' own names, and columns of the data that are numbers.

    ScoreError if it cannot be read, or leaves a parameter free.
    """

    def of(bundle: Bundle, columns: Sequence[str]) -> Fused:
        outputs = bundle.manifest.outputs
        known = {one.name: one.name for one in outputs}
        of_task = {one.prediction: one.name for one in outputs}
        known |= {task.name: of_task[task.name] for task in bundle.tasks}
        refused = {
            column: f"is the label of {task}, known only afterwards"
            for task, label in bundle.encoder.label_columns.items()
            for column in label_columns(label)
            if column not in known
        }
        tree = parse(text, [*known, *columns], refused=refused)
        if free := parameters_of(tree):
            raise ScoreError(
                f"--score: {', '.join(free)} is free; write a number there, such as the one that"
                " `automtl fuse` finds"
            )
        named = {name: known.get(name, name) for name in columns_of(tree)}

        def values(numbers: Mapping[str, Floats]) -> Floats:
            inputs = {name: numbers[column] for name, column in named.items()}
            found_N = Evaluator(tree, inputs, rows="scored")({})
            # of a product the logarithm is found
            return np.exp(found_N) if isinstance(tree, Power | Product) else found_N

        return Fused(columns=tuple(dict.fromkeys(named.values())), of=values)

    return of
