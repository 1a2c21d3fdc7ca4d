"""One small search, run once: what every test of the export starts from."""

import polars as pl
import pytest
from support.shop import write_shop

from automtl.export.bundle import Bundle
from automtl.export.pick import pick
from automtl.export.write import export_bundle
from automtl.search.run import run_search
from automtl.spec.load import load_spec
from automtl.study import Study


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory):
    root = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOMTL_CACHE", str(root / "cache"))
        run_search(load_spec(write_shop(root)), root / "run", executor="local")
        yield root / "run"


@pytest.fixture(scope="session")
def study(run_dir):
    return Study.open(run_dir)


@pytest.fixture(scope="session")
def rows(run_dir):
    return pl.read_parquet(run_dir.parent / "rows.parquet")


@pytest.fixture(scope="session")
def bundle_dir(study, tmp_path_factory):
    return export_bundle(study, pick(study, "knee"), tmp_path_factory.mktemp("out") / "knee")


@pytest.fixture(scope="session")
def with_graph(study, tmp_path_factory):
    target = tmp_path_factory.mktemp("out") / "knee"
    return export_bundle(study, pick(study, "knee"), target, formats="all")


@pytest.fixture(scope="session")
def bundle(bundle_dir):
    return Bundle.load(bundle_dir)
