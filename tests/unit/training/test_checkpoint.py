"""A training that was killed goes on from its checkpoint with the numbers it would have had."""

import pytest
import torch
from support.make import InMemoryData

from automtl.config import ModelConfig, TrainConfig, TrialConfig
from automtl.training.checkpoint import Checkpoints
from automtl.training.fit import Trainer


class KilledError(Exception):
    """Stands for a SIGKILL between two steps."""


def make_config(**train):
    model = ModelConfig(
        family="ple",
        num_levels=2,
        num_shared_experts=2,
        expert_dims=(16,),
        tower_dims=(8,),
        embedding_dim=4,
        dropout=0.2,
        embedding_dropout=0.1,
    )
    return TrialConfig(model=model, train=TrainConfig(batch_size=130, epochs=2, **train))


def train(path=None, *, kill_at=None, config=None, data=None, device="cpu", **options):
    def on_step(step, num_steps):
        if step == kill_at:
            raise KilledError

    checkpoints = None if path is None else Checkpoints(path, every_s=0.0)
    trainer = Trainer(
        config or make_config(),
        data or InMemoryData(),
        seed=5,
        device=device,
        on_step=on_step,
        checkpoints=checkpoints,
        **options,
    )
    return trainer, list(trainer.run())


def weights_of(trainer):
    return trainer.model.state_dict()


def assert_equal(first, second):
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("weighting", "embedding_optimizer"),
    [("fixed", "adagrad"), ("uncertainty", "rowwise_adagrad"), ("decay", "adam")],
)
def test_it_ends_with_the_same_bits(tmp_path, weighting, embedding_optimizer):
    config = make_config(weighting=weighting, embedding_optimizer=embedding_optimizer)
    whole, expected = train(config=config)
    path = tmp_path / "checkpoint"
    for kill_at in (3, 22):  # of 31 steps; the second one lies in the second epoch
        with pytest.raises(KilledError):
            train(path, kill_at=kill_at, config=config)
        assert Checkpoints(path, every_s=0.0).load().step == kill_at
    again, found = train(path, config=config)
    assert [one.metrics for one in found] == [one.metrics for one in expected]
    assert_equal(weights_of(again), weights_of(whole))


def test_where_a_trial_is_evaluated_changes_no_weight():
    assert_equal(weights_of(train(rungs=(0.3, 1.0))[0]), weights_of(train()[0]))


def test_evaluations_before_the_checkpoint_are_not_told_again(tmp_path):
    path = tmp_path / "checkpoint"
    with pytest.raises(KilledError):
        train(path, kill_at=12, rungs=(0.3, 1.0))
    _, found = train(path, rungs=(0.3, 1.0))
    _, whole = train(rungs=(0.3, 1.0))
    assert [one.epochs for one in found] == [1.0, 2.0]
    assert [one.metrics for one in found] == [one.metrics for one in whole[1:]]


def test_the_time_before_the_kill_counts(tmp_path):
    path = tmp_path / "checkpoint"
    with pytest.raises(KilledError):
        train(path, kill_at=12)
    before_s = Checkpoints(path, every_s=0.0).load().wall_s
    assert train(path)[1][-1].wall_s > before_s > 0


@pytest.mark.parametrize("content", [b"", b"not tensors"])
def test_what_is_damaged_is_no_checkpoint(tmp_path, content):
    path = tmp_path / "checkpoint"
    path.write_bytes(content)
    assert_equal(weights_of(train(path)[0]), weights_of(train()[0]))


def test_a_checkpoint_of_another_model_is_left_aside(tmp_path):
    path = tmp_path / "checkpoint"
    with pytest.raises(KilledError):
        train(path, kill_at=12, config=make_config(embedding_optimizer="adam"))
    trainer, _ = train(path)
    assert trainer.notes == ["the checkpoint was of another model: trained from the start"]
    assert_equal(weights_of(trainer), weights_of(train()[0]))


def test_a_checkpoint_that_cannot_be_written_ends_nothing(tmp_path):
    trainer, found = train(tmp_path / "missing" / "checkpoint")
    assert len(found) == 1
    (note,) = trainer.notes
    assert "cannot be written" in note
    assert note.endswith("the training went on without")


def test_it_is_written_when_it_is_time():
    now = 0.0
    checkpoints = Checkpoints("nowhere", every_s=60.0, clock=lambda: now)
    assert not checkpoints.is_due()
    now = 60.0
    assert checkpoints.is_due()
