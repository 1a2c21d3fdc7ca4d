"""What holds for all tests: no time limits on a noisy machine, no files outside pytest's folder."""

import os

import pytest
from hypothesis import settings

settings.register_profile("automtl", deadline=None)
settings.load_profile("automtl")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    before = os.environ.get("AUTOMTL_CACHE")
    os.environ["AUTOMTL_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["AUTOMTL_CACHE"]
    else:
        os.environ["AUTOMTL_CACHE"] = before
