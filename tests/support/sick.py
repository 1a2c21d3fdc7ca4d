"""A table without a fault, to plant faults in, and what the doctor says of it."""

import numpy as np
import polars as pl
from support.data_spec import make_spec

from automtl.data.cache import open_data
from automtl.doctor.checkup import Checkup, check_before_search, examine

FEATURES = {
    "categorical": ["user_id", "item_id", "tag"],
    "numeric": ["price"],
    "sequence": {"history": {"shares": "item_id", "max_len": 3}},
}
TASKS = {"click": {"label": "click"}, "buy": {"label": "buy", "given": "click"}}


def healthy(num_rows=12_000, seed=0) -> pl.DataFrame:
    """Clicks and purchases after a click, both a little told by item, tag and price."""
    rng = np.random.default_rng(seed)
    item, tag = rng.integers(0, 40, num_rows), rng.integers(0, 5, num_rows)
    price = rng.normal(size=num_rows)
    score = np.sin(item) + 0.3 * tag + 0.5 * price
    click = rng.random(num_rows) < 1 / (1 + np.exp(1 - score))
    buy = click & (rng.random(num_rows) < 1 / (1 + np.exp(-0.5 * score)))
    sizes = rng.integers(0, 4, num_rows)
    return pl.DataFrame(
        {
            "user_id": rng.integers(0, 300, num_rows),
            "item_id": item,
            "tag": pl.Series(tag).cast(pl.String),
            "price": price,
            "history": pl.Series([rng.integers(0, 40, size).tolist() for size in sizes]),
            "click": click.astype(int),
            "buy": buy.astype(int),
            "split": rng.choice(["train", "valid", "test"], num_rows, p=[0.5, 0.25, 0.25]),
        },
        schema_overrides={"history": pl.List(pl.Int64)},
    )


def _encoded(frame, directory, data, tasks):
    frame.write_parquet(directory / "rows.parquet")
    path = str(directory / "rows.parquet")
    # two rungs: with few positives the first is left out, which is told
    spec = make_spec({"path": path, **FEATURES, **(data or {})}, tasks or TASKS, rungs=3)
    return spec, open_data(spec)


def checkup(frame, directory, *, data=None, tasks=None) -> Checkup:
    """Of `frame`, with changes to the spec's `data` and other tasks."""
    return examine(*_encoded(frame, directory, data, tasks))


def warnings_before_search(frame, directory, *, data=None, tasks=None) -> list[str]:
    return check_before_search(*_encoded(frame, directory, data, tasks))


def told(found: Checkup) -> set[tuple[str, str, str]]:
    """(severity, check, place) of each finding."""
    return {(one.severity, one.check, one.place) for one in found.findings}
