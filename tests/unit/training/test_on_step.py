"""Whoever watches a trial is told of every step."""

from __future__ import annotations

from support.make import InMemoryData

from automtl.config import ModelConfig, TrainConfig, TrialConfig
from automtl.training.fit import Trainer

MODEL = ModelConfig(family="shared_bottom", expert_dims=(16,), tower_dims=(8,), embedding_dim=4)


def test_steps_are_told_before_they_are_made_and_evaluations_too() -> None:
    config = TrialConfig(model=MODEL, train=TrainConfig(batch_size=500, epochs=1.0))
    seen: list[tuple[int, int]] = []
    trainer = Trainer(
        config,
        InMemoryData(num_rows=2000),
        seed=0,
        device="cpu",
        rungs=(0.5,),
        on_step=lambda step, num_steps: seen.append((step, num_steps)),
    )
    evaluations = list(trainer.run())
    assert [(e.epochs, e.examples) for e in evaluations] == [(0.5, 1000), (1.0, 2000)]
    assert seen == [(0, 4), (1, 4), (2, 4), (2, 4), (3, 4), (4, 4)]
