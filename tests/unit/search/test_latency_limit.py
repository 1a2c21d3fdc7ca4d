"""A model that is too slow is told before it is trained, and is not trained."""

import dataclasses
from dataclasses import dataclass

from support.fake_job import FEATURES, TASKS, FakeData, FakeJob, fake_spec

from automtl.config import Evaluation
from automtl.models.cost import costs
from automtl.search.executor import LocalExecutor
from automtl.search.loop import SearchLoop
from automtl.search.trial import asks_for_latency
from automtl.study_writer import create_study, writing


@dataclass(frozen=True)
class TimedJob(FakeJob):
    """Each expert takes a millisecond."""

    def run(self, assignment):
        slow = {"latency_ms": float(assignment.config.model.num_shared_experts)}
        metrics = costs(assignment.config.model, FEATURES, TASKS) | slow
        yield Evaluation(epochs=0, examples=0, wall_s=0.0, metrics=metrics)
        for one in super().run(assignment):
            yield dataclasses.replace(one, metrics={**one.metrics, **slow})


def search(tmp_path, spec):
    study = create_study(tmp_path / "run", spec, FakeData())
    job = TimedJob(weights_dir=study.weights_dir)
    with writing(study) as writer:
        loop = SearchLoop(writer, spec, features=FEATURES, tasks=TASKS)
        LocalExecutor().run(loop, job)
        loop.finish()
    return study


def test_who_is_too_slow_is_stopped_before_training_and_the_search_goes_on(tmp_path):
    limits = ["latency_ms <= 3", "params <= 1e9"]
    study = search(tmp_path, fake_spec(trials=25, constraints=limits))
    stopped = [one for one in study.trials() if "not trained" in one.reason]
    assert stopped
    assert len(study.trials()) == 25
    for record in stopped:
        assert (record.state, record.evaluations, record.feasible) == ("pruned", (), False)
        assert record.config.model.num_shared_experts > 3
        assert "latency_ms <= 3 is asked for" in record.reason
    assert all(record.metrics["latency_ms"] <= 3 for record in study.front())


def test_a_latency_is_an_objective_like_any_other(tmp_path):
    study = search(tmp_path, fake_spec(trials=12, objectives=["click.auc", "latency_ms"]))
    front = study.front()
    assert all(record.values["latency_ms"] >= 1 for record in front)
    assert front[-1].values["latency_ms"] == min(one.values["latency_ms"] for one in front)


def test_it_is_measured_only_where_it_is_asked_for():
    assert not asks_for_latency(fake_spec())
    assert asks_for_latency(fake_spec(objectives=["click.auc", "latency_ms"]))
    assert asks_for_latency(fake_spec(constraints=["latency_ms <= 5"]))
