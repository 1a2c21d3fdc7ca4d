"""One exported model, small and quick, and a service of it without a socket."""

import functools

import polars as pl
import pytest
from support.service import Service
from support.shop import write_shop

from automtl.export.bundle import Bundle
from automtl.export.pick import pick
from automtl.export.write import export_bundle
from automtl.search.run import run_search
from automtl.serving.app import Limits, make_app
from automtl.spec.load import load_spec


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    root = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOMTL_CACHE", str(root / "cache"))
        study = run_search(load_spec(write_shop(root)), root / "run", executor="local")
        export_bundle(study, pick(study, "knee"), root / "knee", formats="all")
    return root


@pytest.fixture(scope="session")
def bundle(shop):
    return Bundle.load(shop / "knee", engine="torch")


@pytest.fixture(scope="session")
def rows(shop):
    return pl.read_parquet(shop / "rows.parquet")


@pytest.fixture(scope="session")
def served(bundle):
    """A service with some limits; one for all tests that ask for the same."""

    @functools.cache
    def make(**limits):
        return Service(make_app(bundle, limits=Limits(**limits)))

    return make


@pytest.fixture
def inputs(bundle, rows):
    """The first rows as a request has them."""
    return rows.select(bundle.encoder.columns).head(5).to_dicts()
