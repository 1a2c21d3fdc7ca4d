"""What is trained: the one configuration of a spec, with which seeds."""

from __future__ import annotations

import numpy as np

from automtl.config import TrialConfig
from automtl.confirm.candidates import Rerun
from automtl.errors import Diagnostic, SpecError
from automtl.space import Pinned, knobs, sample
from automtl.spec.schema import Spec

__all__ = ["THE_ONE", "fixed_config", "trainings"]

THE_ONE = 0  # a rerun names a trial; here there is one configuration, and no trial before it


def fixed_config(spec: Spec, *, source: str) -> TrialConfig:
    """The configuration of a spec without free knobs; SpecError, with their names, if it has some.

    `source` is how errors call the spec.
    """
    if free := [knob.name for knob in knobs(spec)]:
        are = "is a free knob" if len(free) == 1 else "are free knobs"
        raise SpecError(
            source,
            [
                Diagnostic(
                    key="space",
                    rule=f"{', '.join(free)} {are}, and one configuration is trained",
                    hint="search first (automtl search), and train the config.yaml of what "
                    "`automtl export` writes; or give each knob one value",
                )
            ],
        )
    return sample(spec, Pinned({}))


def trainings(spec: Spec, config: TrialConfig, *, seeds: int) -> tuple[Rerun, ...]:
    """One training a seed. The first seed is the spec's own, as it stands, so that the spec of an
    exported model gives that model again; more seeds repeat none of the fewer."""
    return tuple(
        Rerun(key=f"train:{index}", trial=THE_ONE, config=config, seed=_seed(spec, index))
        for index in range(seeds)
    )


def _seed(spec: Spec, index: int) -> int:
    if index == 0:
        return spec.search.seed
    sequence = np.random.SeedSequence(spec.search.seed, spawn_key=(index,))
    return int(sequence.generate_state(1)[0])
