"""How much of its hours a search has used up."""

from __future__ import annotations

import pytest

from automtl.search.limits import Spent, share_used
from automtl.spec.schema import SearchSpec


@pytest.mark.parametrize(
    ("limits", "share"),
    [
        ({}, 0.0),
        ({"wall_hours": 2}, 0.25),
        ({"device_hours": 2}, 0.5),
        ({"wall_hours": 2, "device_hours": 2}, 0.5),
        ({"wall_hours": 0.25}, 2.0),
    ],
)
def test_the_nearer_limit_says_how_far_a_search_is(limits: dict, share: float) -> None:
    spent = Spent(wall_s=1800.0, device_s=3600.0)
    assert share_used(SearchSpec(**limits), spent) == share
