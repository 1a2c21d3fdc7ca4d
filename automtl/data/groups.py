"""Which TEST rows depend on each other: those of one user, say.

Shapes: N test rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from automtl.data.cache import EncodedData
from automtl.data.columns import as_keys

if TYPE_CHECKING:
    from automtl.spec.schema import Spec

__all__ = ["group_column", "group_ids", "numbered"]


def group_column(spec: Spec, asked: str | None) -> str | None:
    """The column of the groups: the one asked for, else that of a split by group, else none."""
    return asked if asked is not None else getattr(spec.data.split, "group", None)


def group_ids(
    spec: Spec, data: EncodedData, asked: str | None, *, frame: Any = None
) -> NDArray[np.int64] | None:
    """The group [N] of each test row, counted from 0; a missing one is a group of its own row.

    None where there is no column of groups. `frame` is what `data` was encoded from, if not the
    spec's files. Raises DataError if there is no such column.
    """
    from automtl.data.build import raw_columns

    column = group_column(spec, asked)
    if column is None:
        return None
    values = raw_columns(spec, [column], frame=frame)[column]
    keys_N = as_keys(values)[data.source_rows("test")].to_numpy()
    known_N = np.array([key is not None for key in keys_N], dtype=bool)
    ids_N = np.arange(len(keys_N), dtype=np.int64)
    ids_N[known_N] = len(keys_N) + numbered(keys_N[known_N])
    return np.unique(ids_N, return_inverse=True)[1].astype(np.int64)


def numbered(keys_N: NDArray[np.object_]) -> NDArray[np.int64]:
    """Keys (text, none missing) as numbers from 0, one a distinct key."""
    return np.unique(keys_N.astype(str), return_inverse=True)[1].astype(np.int64)
