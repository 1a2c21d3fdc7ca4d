"""What a search has found, on TEST rows. It imports torch, which a search need not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from safetensors.torch import load_file

from automtl.config import Objective, TrialConfig, from_jsonable
from automtl.data.cache import EncodedData
from automtl.training.fit import Trainer
from searches.result import Found, losses, prefix_fronts

__all__ = ["rescored"]


def rescored(
    found: Sequence[Found], data: EncodedData, objectives: Sequence[Objective]
) -> tuple[Found, ...]:
    """The same with TEST metrics, by the weights that the search has kept, wherever a trial was
    on the front when it ended."""
    torch.set_num_threads(1)
    fronts = prefix_fronts(losses([one.valid for one in found], objectives))
    return tuple(
        replace(one, test=_test_metrics(one, data)) if n in front else one
        for n, (one, front) in enumerate(zip(found, fronts, strict=True))
    )


def _test_metrics(found: Found, data: EncodedData) -> dict[str, float]:
    config = from_jsonable(TrialConfig, found.config)
    trainer = Trainer(config, data, seed=found.seed, device="cpu")
    trainer.model.load_state_dict(load_file(found.weights))
    return trainer.evaluate("test")
