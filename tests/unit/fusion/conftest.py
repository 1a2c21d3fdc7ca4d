"""One small search with names and numbers of all kinds in its rows: what a score is made of."""

import numpy as np
import polars as pl
import pytest
from support.shop import SPEC, make_rows

from automtl.export.pick import pick
from automtl.export.write import export_bundle
from automtl.search.run import run_search
from automtl.spec.load import load_spec
from automtl.study import Study


def with_prices(rows):
    """A price for every row, a number that is missing at times, one with a strange name, and one
    that tells a little more with every power."""
    rng = np.random.default_rng(1)
    price = pl.Series(np.round(rng.lognormal(3, 1, rows.height), 2))
    is_known = pl.Series(rng.random(rows.height) < 0.9)
    return rows.with_columns(
        price.alias("price"),
        price.zip_with(is_known, pl.Series([None], dtype=pl.Float64)).alias("stock"),
        (price - 20).alias("margin"),
        (1 + 0.01 * pl.col("click")).alias("told"),
        price.alias("<script>\x1b(31mprice"),
    )


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("fusion")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOMTL_CACHE", str(root / "cache"))
        with_prices(make_rows(6000)).write_parquet(root / "rows.parquet")
        (root / "spec.yaml").write_text(SPEC)
        run_search(load_spec(root / "spec.yaml"), root / "run", executor="local")
        study = Study.open(root / "run")
        (record, *_) = [one for one in study.front() if one.id != study.reference().id]
        export_bundle(study, pick(study, record.id), root / "bundle")
        yield root


@pytest.fixture(scope="session")
def run_dir(root):
    return root / "run"


@pytest.fixture(scope="session")
def bundle_dir(root):
    return root / "bundle"


@pytest.fixture(scope="session")
def study(run_dir):
    return Study.open(run_dir)


@pytest.fixture(scope="session")
def rows(root):
    return pl.read_parquet(root / "rows.parquet")
