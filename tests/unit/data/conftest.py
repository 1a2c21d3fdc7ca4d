"""NumPy goes over rows, or compiled loops where there are many: what comes of it is the same."""

import pytest

from automtl.data.loops import compiled_loops


@pytest.fixture(params=["NumPy", "compiled"], scope="module")
def loops(request):
    """The tests of a module that use it run in both ways."""
    with compiled_loops(pays=request.param == "compiled"):
        yield request.param
