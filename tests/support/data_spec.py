"""A spec of which only the data and the tasks matter."""

from pathlib import Path

from automtl.spec.schema import Spec


def make_spec(data, tasks, base_dir=Path(), **search) -> Spec:
    """`data`, `tasks` and `search` as in a spec's file; the split is by a column unless it says
    otherwise."""
    return Spec.from_dict(
        {
            "version": 1,
            "name": "test",
            "data": {"split": {"column": "split"}, **data},
            "tasks": tasks,
            "objectives": ["params"],
            "space": {"sharing": [{"family": "shared_bottom"}]},
            "search": search,
        },
        base_dir=base_dir,
    )
