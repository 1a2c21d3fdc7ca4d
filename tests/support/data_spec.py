"""A spec of which only the data and the tasks matter, and what its rows become."""

from pathlib import Path

from automtl.data.build import Encoded, encode_rows
from automtl.data.cache import ARRAYS
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


def write_encoded(spec, source, directory, report=lambda *_: None) -> Encoded:
    """Makes a directory of the rows of a source as a cache holds them, all but its `meta.json`."""
    directory.mkdir()
    return encode_rows(
        spec,
        directory,
        ARRAYS,
        encoder_directory=directory / "encoder",
        report=report,
        source=source,
    )
