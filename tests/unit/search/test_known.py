"""What a strategy is told of a model's size before any is trained."""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_job import FEATURES, TASKS, fake_spec

from automtl.models.cost import FREE_FIELDS, costs
from automtl.search import sampler
from automtl.search.known import make_known
from automtl.search.ledger import MemoryLedger
from automtl.search.loop import SearchLoop
from automtl.search.strategies.base import Known, SearchSpace
from automtl.search.strategies.chance import choose_randomly
from automtl.space import sample
from automtl.spec.domains import Domain
from automtl.spec.schema import Spec

SPEC = fake_spec(
    space={"dropout": {"choice": [0, 0.1]}}, objectives=["params", "click.auc", "flops"]
)


def known_of(spec: Spec) -> Known:
    known = make_known(spec, FEATURES, TASKS)
    assert known is not None
    return known


@given(seed=st.integers(0, 10_000))
def test_it_is_what_the_configuration_costs(seed: int) -> None:
    values: dict[str, Any] = {}

    def choose(name: str, domain: Domain) -> Any:
        values[name] = choose_randomly(np.random.default_rng([seed, len(values)]), name, domain)
        return values[name]

    config = sample(SPEC, choose)
    found = costs(config.model, FEATURES, TASKS)
    known = known_of(SPEC)
    assert known.objectives == (0, 2)
    expected = [np.log10(found["params"]), np.log10(found["flops"])]
    np.testing.assert_allclose(known.tell(values).losses, expected)
    assert known.tell(values).effort == math.sqrt(found["flops"])
    counted = {name: value for name, value in values.items() if name in known.knobs}
    assert known.tell(counted) == known.tell(values), "no other knob enters it"


def test_knobs_that_cost_nothing_are_none_of_its_knobs() -> None:
    knobs = known_of(SPEC).knobs
    assert {"family", "embedding_dim", "expert_dims", "mmoe.num_shared_experts"} <= set(knobs)
    assert not {"lr", "dropout", "dependency", "loss_weights.buy"} & set(knobs)


@pytest.mark.parametrize("field", FREE_FIELDS)
def test_free_fields_cost_nothing(field: str) -> None:
    model = sample(SPEC, partial(choose_randomly, np.random.default_rng(0))).model
    before = getattr(model, field)
    after = {"none": "esmm", "esmm": "none"}[before] if isinstance(before, str) else 0.3
    assert after != before
    changed = dataclasses.replace(model, **{field: after})
    assert costs(changed, FEATURES, TASKS) == costs(model, FEATURES, TASKS)


def test_a_pinned_family_need_not_be_in_the_space() -> None:
    known = known_of(SPEC)
    apart, shared = (known.tell({"family": name}) for name in ("single_task", "shared_bottom"))
    assert apart.losses > shared.losses
    assert apart.effort > shared.effort


def test_metrics_are_not_known() -> None:
    assert make_known(fake_spec(objectives=["click.auc"]), FEATURES, TASKS) is None


def test_a_search_tells_its_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    spaces: list[SearchSpace] = []
    monkeypatch.setattr(sampler, "make_strategy", lambda name, space, **_: spaces.append(space))
    SearchLoop(MemoryLedger(SPEC), SPEC, features=FEATURES, tasks=TASKS)
    (space,) = spaces
    assert space.known is not None
    assert space.known.objectives == (0, 2)
