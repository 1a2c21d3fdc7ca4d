"""Whether rows that have a time were split as if they had none."""

from __future__ import annotations

from collections.abc import Iterator

from automtl.doctor.finding import Finding
from automtl.spec.column_info import is_time_name
from automtl.spec.schema import Spec

__all__ = ["check_split"]


def check_split(spec: Spec) -> Iterator[Finding]:
    """A random split although a column is named like a time.

    Looks at the names that the spec has and at those in the first file's footer or first line.
    """
    if getattr(spec.data.split, "random", None) is not True:
        return
    times = [name for name in _names(spec) if is_time_name(name)]
    if times:
        yield Finding(
            severity="warning",
            check="random_split",
            place="data.split",
            says=f"is random, but {times[0]} looks like a time: rows of tomorrow help to predict"
            " today's, so that all scores are too good",
            write=f"write split: {{time: {times[0]}, valid: 0.1, test: 0.1}}",
        )


def _names(spec: Spec) -> list[str]:
    data = spec.data
    named = [*data.feature_columns]
    if data.path is None:
        return named
    from automtl.data.header import column_names  # pyarrow: only who looks into a file pays

    return list(
        dict.fromkeys([*named, *column_names(spec.data_files()[0], encoding=data.encoding)])
    )
